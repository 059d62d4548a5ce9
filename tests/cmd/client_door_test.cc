#include "cmd/client_door.h"

#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace pgwalship {
namespace {

Fd connect_to(const std::string& path) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  sockaddr* const any = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::connect(fd.get(), any, sizeof address), 0);
  return fd;
}

class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t count) {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const rlimit few{count, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  }
  ~FewDescriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }

 private:
  rlimit before_{};
};

// The queue of the socket stays readable while no descriptor is left: that must not turn the loop
// round and round.
TEST(ClientDoor, WithoutFileDescriptorsItWaitsAndThenLetsTheClientIn) {
  const TempDir dir;
  const SystemClock clock;
  const auto loop = EventLoop::create(clock).value();
  const auto listener = LocalListener::listen(dir.file("socket")).value();
  Log log(LogLevel::kError, LogTarget::kStderr);
  int clients = 0;
  ClientDoor door(*loop, *listener, log, [&](const Fd&) {
    ++clients;
    loop->stop();
  });
  ASSERT_TRUE(door.open().ok());
  const Fd client = connect_to(dir.file("socket"));
  // UndefinedBehaviorSanitizer needs descriptors for its first look at an object.
  const TimePoint end = clock.now() + std::chrono::milliseconds(300);
  std::optional<FewDescriptors> limit(std::in_place, static_cast<rlim_t>(client.get() + 1));
  int turns = 0;
  loop->on_turn([&](TimePoint now) {
    ++turns;
    if (limit && now >= end) {
      limit.reset();
    }
    return std::min(door.tick(now), limit ? end : kNever);
  });
  ASSERT_TRUE(loop->run().ok());
  EXPECT_EQ(clients, 1);
  EXPECT_LT(turns, 20);
}

}  // namespace
}  // namespace pgwalship
