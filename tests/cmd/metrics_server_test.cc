#include "cmd/metrics_server.h"

#include "tests/support/loopback_listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <thread>

namespace pgwalship {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kReport = R"json({
  "time": 1000.5, "daemon": {"version": "0.1.0", "uptime_seconds": 500.5},
  "quorum": {"held": true, "since_seconds": 7},
  "peers": [{"node": "pgdb2", "state": "current", "counts": true, "round_trip_ms": 1.5,
             "lag_seconds": 0, "backlog": 2, "connects": 1}],
  "push": {"acknowledged": 3, "failed": 1, "latency": {"bounds_seconds": [0.1, 1],
           "counts": [2, 0, 1], "sum_seconds": 4.5}},
  "conflicts": []})json";

TEST(MetricsText, IsWhatPrometheusReads) {
  const std::string text = metrics_text(metrics_of(kReport));
  for (const char* line :
       {"# TYPE pgwalship_pushes_total counter\n", "pgwalship_up 1\n",
        "pgwalship_start_time_seconds 500\n", "pgwalship_quorum_held 1\n",
        "pgwalship_peer_state{peer=\"pgdb2\",state=\"current\"} 1\n",
        "pgwalship_peer_state{peer=\"pgdb2\",state=\"down\"} 0\n",
        "pgwalship_peer_round_trip_seconds{peer=\"pgdb2\"} 0.0015\n",
        "pgwalship_pushes_total{outcome=\"failed\"} 1\n",
        "pgwalship_push_duration_seconds_bucket{le=\"0.1\"} 2\n",
        "pgwalship_push_duration_seconds_bucket{le=\"1\"} 2\n",
        "pgwalship_push_duration_seconds_bucket{le=\"+Inf\"} 3\n",
        "pgwalship_push_duration_seconds_sum 4.5\n", "pgwalship_conflicts 0\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("pgwalship_ready_segments"))) << "is not known, so not said";
}

TEST(MetricsText, WithoutAReportSaysThatTheDaemonIsNotUp) {
  for (const char* report : {"", "[]", "nonsense", "5"}) {
    EXPECT_THAT(metrics_text(metrics_of(report)), HasSubstr("pgwalship_up 0\n")) << report;
  }
}

TEST(MetricsText, TakesFieldsOfAnotherTypeForNothing) {
  const std::string text = metrics_text(metrics_of(
      R"({"peers": 5, "push": [], "quorum": "x", "archive": {"quarantined": 7},
          "timelines": {"troubles": [1, "a"]}, "conflicts": {}})"));
  EXPECT_THAT(text, HasSubstr("pgwalship_up 1\n"));
}

// A client on a thread of its own, while this thread runs the loop.
std::string scrape(EventLoop& loop, std::uint16_t port) {
  std::string answer;
  std::thread client([&] {
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const std::string request = "GET /metrics HTTP/1.0\r\n\r\n";
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 &&
        write_full(socket.get(), as_bytes(request), "ask").ok()) {
      std::array<char, 4096> piece;
      for (ssize_t got = 0; (got = ::read(socket.get(), piece.data(), piece.size())) > 0;) {
        answer.append(piece.data(), static_cast<std::size_t>(got));
      }
    }
    loop.stop();
  });
  EXPECT_TRUE(loop.run().ok());
  client.join();
  return answer;
}

std::uint16_t free_port() {
  return LoopbackListener().port();
}

TEST(MetricsServer, AnswersWithTheReportOfTheLoop) {
  const SystemClock clock;
  const auto loop = EventLoop::create(clock).value();
  const std::uint16_t port = free_port();
  const auto loop_thread = std::this_thread::get_id();
  const auto server =
      MetricsServer::start("127.0.0.1:" + std::to_string(port), *loop, [&](const auto& handler) {
        EXPECT_EQ(std::this_thread::get_id(), loop_thread);
        handler(std::string(kReport));
      });
  ASSERT_TRUE(server.ok()) << server.error().text();
  const std::string answer = scrape(*loop, port);
  EXPECT_THAT(answer, HasSubstr("200 OK"));
  EXPECT_THAT(answer, HasSubstr("pgwalship_quorum_held 1\n"));
}

TEST(MetricsServer, AnAddressThatIsTakenIsAnErrorWithAHint) {
  const SystemClock clock;
  const auto loop = EventLoop::create(clock).value();
  const LoopbackListener taken;
  const std::string address = "127.0.0.1:" + std::to_string(taken.port());
  const auto server = MetricsServer::start(address, *loop, [](const auto&) {});
  ASSERT_FALSE(server.ok());
  EXPECT_EQ(server.error().code, Errc::kInvalid);
  EXPECT_THAT(server.error().message, HasSubstr(address));
  EXPECT_THAT(server.error().hint, HasSubstr("127.0.0.1:9187"));
}

}  // namespace
}  // namespace pgwalship
