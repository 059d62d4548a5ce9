#include "base/service_manager.h"

#include "tests/support/notify_socket.h"

#include <gtest/gtest.h>

#include <unistd.h>

namespace pgwalship {
namespace {

TEST(ServiceManager, WithoutOneEveryCallDoesNothing) {
  for (const char* path : {"", "relative", "/no/such/socket", "@"}) {
    ServiceManager manager({.notify_socket = path, .watchdog_usec = "1000", .watchdog_pid = ""});
    EXPECT_FALSE(manager.listens()) << path;
    EXPECT_FALSE(manager.watchdog()) << path;
    manager.say("READY=1");
    manager.keep_alive();
    EXPECT_FALSE(manager.has_unsent()) << path;
  }
}

TEST(ServiceManager, IsToldInDatagrams) {
  const NotifySocket socket;
  ServiceManager manager({.notify_socket = socket.path(), .watchdog_usec = "", .watchdog_pid = ""});
  ASSERT_TRUE(manager.listens());
  manager.say("READY=1\nSTATUS=it works");
  manager.say_status("one line\nREADY=1");
  EXPECT_EQ(socket.next(), "READY=1\nSTATUS=it works");
  EXPECT_EQ(socket.next(), "STATUS=one line READY=1");
}

TEST(ServiceManager, WatchesOnlyTheProcessThatItNames) {
  const NotifySocket socket;
  const auto watchdog = [&](const std::string& usec, const std::string& pid) {
    return ServiceManager({socket.path(), usec, pid}).watchdog();
  };
  EXPECT_EQ(watchdog("1500000", ""), std::chrono::milliseconds(1500));
  EXPECT_EQ(watchdog("1500000", std::to_string(::getpid())), std::chrono::milliseconds(1500));
  EXPECT_FALSE(watchdog("1500000", std::to_string(::getppid())));
  for (const char* wrong : {"", "0", "-1", "1s"}) {
    EXPECT_FALSE(watchdog(wrong, "")) << wrong;
  }
}

TEST(ServiceManager, NoSignOfLifeForOneThatDoesNotWatch) {
  const NotifySocket socket;
  ServiceManager({socket.path(), "", ""}).keep_alive();
  EXPECT_EQ(socket.next(), "");
  ServiceManager({socket.path(), "1000000", ""}).keep_alive();
  EXPECT_EQ(socket.next(), "WATCHDOG=1");
}

// A manager that hangs must not make the daemon hang.
TEST(ServiceManager, KeepsWhatIsNotTakenAndNeverBlocks) {
  const NotifySocket socket;
  ServiceManager manager({socket.path(), "1000000", ""});
  int taken = 0;
  while (!manager.has_unsent() && taken < 100'000) {
    manager.say("STATUS=" + std::to_string(taken++));
  }
  ASSERT_TRUE(manager.has_unsent());
  manager.keep_alive();  // lost: it would be old news
  manager.say("STOPPING=1");
  std::string last;
  for (std::string text = socket.next(); !text.empty(); text = socket.next()) {
    last = text;
  }
  EXPECT_EQ(last, "STATUS=" + std::to_string(taken - 2));
  manager.flush();
  EXPECT_FALSE(manager.has_unsent());
  EXPECT_EQ(socket.next(), "STATUS=" + std::to_string(taken - 1) + "\nSTOPPING=1");
}

}  // namespace
}  // namespace pgwalship
