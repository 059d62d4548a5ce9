#include "cmd/daemon_service.h"

#include "tests/support/notify_socket.h"

#include <gtest/gtest.h>

#include <future>

namespace pgwalship {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart{std::chrono::hours(1)};

class DaemonServiceTest : public testing::Test {
 protected:
  DaemonService service(const std::string& watchdog_usec = "10000000") {
    return DaemonService({{socket_.path(), watchdog_usec, ""},
                          [this](TimePoint) { return line_; },
                          {{"disk", &worker_}}},
                         log_);
  }

  NotifySocket socket_;
  Worker worker_{4};
  Log log_{LogLevel::kError, LogTarget::kStderr};
  std::string line_ = "quorum ANY 1 (*): held";
};

TEST_F(DaemonServiceTest, ReadyComesWithTheStatusAndNotBefore) {
  DaemonService daemon = service("");
  daemon.tick(kStart);
  EXPECT_EQ(socket_.next(), "");
  daemon.ready(kStart);
  EXPECT_EQ(socket_.next(), "READY=1\nSTATUS=quorum ANY 1 (*): held");
  daemon.tick(kStart);
  EXPECT_EQ(socket_.next(), "") << "nothing has changed";
}

TEST_F(DaemonServiceTest, TellsAStatusThatHasChangedAtMostOnceASecond) {
  DaemonService daemon = service("");
  daemon.ready(kStart);
  socket_.next();
  daemon.tick(kStart);
  line_ = "quorum ANY 1 (*): LOST";
  const TimePoint next = daemon.tick(kStart + milliseconds(10));
  EXPECT_EQ(socket_.next(), "");
  daemon.tick(next);
  EXPECT_EQ(socket_.next(), "STATUS=quorum ANY 1 (*): LOST");
}

TEST_F(DaemonServiceTest, GivesTwoSignsOfLifeInTheManagersPatience) {
  DaemonService daemon = service();
  int signs = 0;
  for (TimePoint now = kStart; now < kStart + seconds(100);) {
    now = daemon.tick(now);
    for (std::string text = socket_.next(); !text.empty(); text = socket_.next()) {
      signs += text == "WATCHDOG=1" ? 1 : 0;
    }
  }
  EXPECT_EQ(signs, 20);
}

TEST_F(DaemonServiceTest, H49GivesNoSignOfLifeWhileAWorkerIsStuck) {
  std::promise<void> began;
  std::promise<void> may_end;
  ASSERT_TRUE(worker_.post([&]() -> Worker::Completion {
    began.set_value();
    may_end.get_future().wait();
    return [] {};
  }));
  began.get_future().wait();
  while (thread_state(worker_.activity().thread).value().letter != 'S') {
  }
  DaemonService daemon = service();
  TimePoint now = kStart;
  std::optional<TimePoint> last;
  for (; now < kStart + 2 * kStuckAfter; now += seconds(5)) {
    daemon.tick(now);
    while (!socket_.next().empty()) {
      last = now;
    }
  }
  ASSERT_TRUE(last);
  EXPECT_LT(*last, kStart + kStuckAfter);
  may_end.set_value();
}

TEST_F(DaemonServiceTest, ReloadingAndStopping) {
  DaemonService daemon = service("");
  daemon.ready(kStart);
  socket_.next();
  daemon.reloading(kStart);
  EXPECT_EQ(socket_.next(),
            "RELOADING=1\nMONOTONIC_USEC=3600000000\nSTATUS=reading the configuration again");
  daemon.ready(kStart);
  EXPECT_EQ(socket_.next(), "READY=1\nSTATUS=quorum ANY 1 (*): held");
  daemon.stopping("ending");
  EXPECT_EQ(socket_.next(), "STOPPING=1\nSTATUS=ending");
  line_ = "quorum ANY 1 (*): LOST";
  daemon.tick(kStart + seconds(10));
  EXPECT_EQ(socket_.next(), "") << "the last word stays";
}

}  // namespace
}  // namespace pgwalship
