#include "archiver/postgres_watch.h"

#include "tests/support/temp_dir.h"
#include "tests/support/throwaway_postgres.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace pgwalship {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

class PostgresWatchTest : public testing::Test {
 protected:
  PostgresWatch::Options options(const std::string& conninfo) const {
    PostgresWatch::Options options;
    options.conninfo = conninfo;
    options.interval = 50ms;
    return options;
  }
  void watch(const PostgresWatch::Options& with) {
    watch_ = std::make_unique<PostgresWatch>(clock_, with);
  }
  void watch(const std::string& conninfo) { watch(options(conninfo)); }

  // The next answer; none within 20 s fails the test.
  PostgresFacts next() {
    pollfd fd{watch_->event_fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&fd, 1, 20'000), 1);
    return watch_->next().value_or(PostgresFacts{});
  }
  // The first answer of which that is true.
  PostgresFacts next_with(const std::function<bool(const PostgresFacts&)>& wanted) {
    const TimePoint until = clock_.now() + 60s;
    for (;;) {
      PostgresFacts facts = next();
      if (wanted(facts)) {
        return facts;
      }
      if (clock_.now() > until) {
        ADD_FAILURE() << "last answer: " << facts.error;
        return facts;
      }
    }
  }
  Duration time_to_stop() {
    const TimePoint before = clock_.now();
    watch_.reset();
    return clock_.now() - before;
  }

  const SystemClock clock_;
  std::unique_ptr<PostgresWatch> watch_;
};

// A server that accepts, says what it is given to say, and then nothing more.
class SilentServer {
 public:
  SilentServer() : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = directory_.file(".s.PGSQL.5432");
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    CHECK(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    CHECK(::listen(listener_.get(), 8) == 0);
  }
  std::string conninfo() const {
    return "host=" + directory_.path() + " port=5432 user=nobody dbname=none";
  }
  void greet(std::string_view words) {
    client_ = Fd(::accept(listener_.get(), nullptr, nullptr));
    CHECK(client_.valid());
    CHECK(::send(client_.get(), words.data(), words.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(words.size()));
  }
  void wait_until_asked() {
    // The startup packet begins with its length; one recv() may take the question with it.
    std::string received;
    const auto startup_bytes = [&] {
      return static_cast<std::size_t>(static_cast<unsigned char>(received[2])) << 8U |
             static_cast<unsigned char>(received[3]);
    };
    while (received.size() < 4 || received.size() <= startup_bytes()) {
      char buffer[512];
      const ssize_t got = ::recv(client_.get(), buffer, sizeof buffer, 0);
      CHECK(got > 0);
      received.append(buffer, static_cast<std::size_t>(got));
    }
  }

 private:
  TempDir directory_;
  Fd listener_;
  Fd client_;
};

// AuthenticationOk, ReadyForQuery.
constexpr std::string_view kWelcome("R\0\0\0\10\0\0\0\0Z\0\0\0\5I", 15);

TEST_F(PostgresWatchTest, H14AServerThatDoesNotGreetIsGivenUp) {
  const SilentServer server;
  auto impatient = options(server.conninfo());
  impatient.connect_timeout = 100ms;
  watch(impatient);
  const PostgresFacts facts = next();
  EXPECT_FALSE(facts.reachable);
  EXPECT_EQ(facts.error, "connect: PostgreSQL does not answer");
}

TEST_F(PostgresWatchTest, H14AServerThatDoesNotAnswerIsGivenUp) {
  SilentServer server;
  auto impatient = options(server.conninfo());
  impatient.query_timeout = 100ms;
  watch(impatient);
  server.greet(kWelcome);
  EXPECT_EQ(next().error, "query: PostgreSQL does not answer");
}

TEST_F(PostgresWatchTest, H14StopsAtOnceWhileTheServerHangs) {
  SilentServer server;
  auto patient = options(server.conninfo());
  patient.connect_timeout = 1h;
  patient.query_timeout = 1h;
  watch(patient);
  server.greet(kWelcome);
  server.wait_until_asked();
  EXPECT_LT(time_to_stop(), 10s);
}

TEST_F(PostgresWatchTest, StopsAtOnceBetweenTwoQuestions) {
  auto seldom = options("host=/nowhere/at/all user=nobody");
  seldom.interval = 1h;
  seldom.interval_down = 1h;
  watch(seldom);
  next();
  EXPECT_LT(time_to_stop(), 10s);
}

TEST_F(PostgresWatchTest, AsksMoreOftenWhileThereIsNoServer) {
  auto seldom = options("host=/nowhere/at/all user=nobody");
  seldom.interval = 1h;
  seldom.interval_down = 50ms;
  watch(seldom);
  next();
  EXPECT_FALSE(next().reachable);
}

TEST_F(PostgresWatchTest, SaysOnOneLineWhyThereIsNoServer) {
  watch("host=/nowhere/at/all user=nobody");
  const PostgresFacts facts = next();
  EXPECT_FALSE(facts.reachable);
  EXPECT_THAT(facts.error, HasSubstr("/nowhere/at/all"));
  EXPECT_THAT(facts.error, HasSubstr("No such file or directory; Is the server running"));
  EXPECT_THAT(facts.error, Not(testing::EndsWith(";")));
  EXPECT_THAT(facts.error, Not(HasSubstr("\n")));
}

TEST_F(PostgresWatchTest, SaysWhatIsWrongWithAConninfo) {
  watch("host=/nowhere flavour=sweet");
  EXPECT_THAT(next().error, HasSubstr("invalid connection option \"flavour\""));
}

class RealPostgresWatchTest : public PostgresWatchTest {
 protected:
  void SetUp() override {
    if (!ThrowawayPostgres::available()) {
      GTEST_SKIP() << "PostgreSQL 15 is not installed";
    }
  }
};

TEST_F(RealPostgresWatchTest, KnowsAPrimary) {
  const ThrowawayPostgres server;
  watch(server.conninfo());
  const PostgresFacts facts = next();
  EXPECT_TRUE(facts.reachable) << facts.error;
  EXPECT_EQ(facts.error, "");
  EXPECT_EQ(facts.server_version / 10000, 15);
  EXPECT_EQ(facts.role, PostgresFacts::Role::kPrimary);
  EXPECT_EQ(std::to_string(facts.system_id), server.control_data("Database system identifier"));
  EXPECT_EQ(facts.segment_bytes, 1U << 20U);
  EXPECT_EQ(facts.archived_count, 0U);
  EXPECT_EQ(facts.last_archived_wal, "");
  EXPECT_THAT(facts.current_lsn, HasSubstr("0/"));
  EXPECT_GE(facts.redo_lsn, 1U << 20U);
  EXPECT_EQ(facts.timeline, 1U);
  EXPECT_EQ(facts.oldest_slot_lsn, 0U);
  EXPECT_EQ(facts.writes_timeline, 1U);
  EXPECT_EQ(facts.streamed_lsn, 0U);
  EXPECT_EQ(facts.hidden_standbys, 0U);
  EXPECT_NE(facts.asked_at, TimePoint{});
}

TEST_F(RealPostgresWatchTest, KnowsTheOldestSlot) {
  ThrowawayPostgres server;
  server.execute("SELECT pg_create_physical_replication_slot('standby', true)");
  watch(server.conninfo());
  const PostgresFacts facts = next_with([](const PostgresFacts& f) { return f.reachable; });
  EXPECT_GE(facts.oldest_slot_lsn, facts.redo_lsn);
}

TEST_F(RealPostgresWatchTest, KnowsAStandby) {
  ThrowawayPostgres server;
  server.stop();
  server.make_standby();
  server.start();
  watch(server.conninfo());
  const PostgresFacts facts = next_with([](const PostgresFacts& f) { return f.reachable; });
  EXPECT_EQ(facts.role, PostgresFacts::Role::kStandby);
  EXPECT_THAT(facts.current_lsn, HasSubstr("0/"));
}

TEST_F(RealPostgresWatchTest, AnyRoleMayAsk) {
  ThrowawayPostgres server;
  server.execute("CREATE ROLE plain LOGIN");
  watch(server.conninfo() + " user=plain");
  const PostgresFacts facts = next();
  EXPECT_TRUE(facts.reachable) << facts.error;
  EXPECT_NE(facts.system_id, 0U);
}

TEST_F(RealPostgresWatchTest, CountsWhatWasArchivedAndWhatFailed) {
  TempDir switches;
  std::filesystem::permissions(switches.path(), std::filesystem::perms::others_exec,
                               std::filesystem::perm_options::add);
  ThrowawayPostgres server("archive_mode = on\narchive_command = 'test -e " +
                           switches.file("works") + "'\n");
  watch(server.conninfo());
  server.execute("SELECT pg_switch_wal()");
  const PostgresFacts failed = next_with([](const PostgresFacts& f) { return f.failed_count > 0; });
  EXPECT_EQ(failed.last_failed_wal.size(), 24U);
  EXPECT_EQ(failed.archived_count, 0U);
  std::ofstream(switches.file("works")) << "yes";
  server.execute("CREATE TABLE t ()");
  server.execute("SELECT pg_switch_wal()");
  const PostgresFacts done = next_with([](const PostgresFacts& f) { return f.archived_count > 0; });
  EXPECT_GE(done.last_archived_wal, failed.last_failed_wal);
}

TEST_F(RealPostgresWatchTest, SeesAServerGoAndComeBack) {
  ThrowawayPostgres server;
  watch(server.conninfo());
  EXPECT_TRUE(next().reachable);
  server.stop();
  const PostgresFacts gone = next_with([](const PostgresFacts& f) { return !f.reachable; });
  EXPECT_NE(gone.error, "");
  server.start();
  EXPECT_TRUE(next_with([](const PostgresFacts& f) { return f.reachable; }).reachable);
}

}  // namespace
}  // namespace pgwalship
