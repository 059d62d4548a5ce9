#include "base/event_loop.h"

#include "base/mailbox.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/epoll.h>
#include <utility>

namespace pgwalship {

namespace {

constexpr int kEventsPerTurn = 64;  // what is left comes in the next turn
constexpr Duration kLongestWait = std::chrono::hours(1);

bool has(Interest interest, Interest bit) {
  return (static_cast<std::uint32_t>(interest) & static_cast<std::uint32_t>(bit)) != 0;
}

std::uint32_t epoll_bits(Interest interest) {
  return (has(interest, Interest::kRead) ? std::uint32_t{EPOLLIN} : 0U) |
         (has(interest, Interest::kWrite) ? std::uint32_t{EPOLLOUT} : 0U);
}

EventLoop::Ready ready_of(std::uint32_t bits, Interest interest) {
  const bool broken = (bits & (EPOLLHUP | EPOLLERR)) != 0;
  return {.readable = broken || (bits & EPOLLIN) != 0,
          .writable = (broken && has(interest, Interest::kWrite)) || (bits & EPOLLOUT) != 0};
}

// Rounded up: a turn that comes before its time would find nothing to do and spin.
int wait_milliseconds(TimePoint now, TimePoint until) {
  const Duration wait = until <= now                 ? Duration::zero()
                        : until - now > kLongestWait ? kLongestWait
                                                     : until - now;
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
}

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::create(const Clock& clock) {
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) {
    return errno_error("create epoll", errno);
  }
  std::unique_ptr<EventLoop> loop(new EventLoop(clock, std::move(epoll), make_eventfd()));
  EventLoop& borrowed = *loop;
  TRY(loop->watch(loop->wake_.get(), Interest::kRead, [&borrowed](Ready) {
    clear_eventfd(borrowed.wake_.get());
    borrowed.stopping_ = true;
  }));
  return loop;
}

EventLoop::EventLoop(const Clock& clock, Fd epoll, Fd wake)
    : clock_(clock), epoll_(std::move(epoll)), wake_(std::move(wake)), now_(clock.now()) {}

EventLoop::~EventLoop() = default;

Result<void> EventLoop::watch(int fd, Interest interest, Handler handler) {
  CHECK(!watches_.contains(fd));
  auto added = std::make_shared<Watch>();
  added->handler = std::move(handler);
  added->serial = ++last_serial_;
  watches_.emplace(fd, added);
  auto result = change(fd, interest);
  if (!result.ok()) {
    watches_.erase(fd);
  }
  return result;
}

// A descriptor of no interest is not in the epoll set: epoll reports a hang-up unasked, in every
// turn, and the loop would spin on it.
Result<void> EventLoop::change(int fd, Interest interest) {
  const auto found = watches_.find(fd);
  CHECK(found != watches_.end());
  Watch& watched = *found->second;
  if (interest == watched.interest) {
    return {};
  }
  const int operation = watched.interest == Interest::kNone ? EPOLL_CTL_ADD
                        : interest == Interest::kNone       ? EPOLL_CTL_DEL
                                                            : EPOLL_CTL_MOD;
  epoll_event event{};
  event.events = epoll_bits(interest);
  event.data.u64 = watched.serial;
  if (::epoll_ctl(epoll_.get(), operation, fd, &event) != 0) {
    return errno_error("watch descriptor", errno);
  }
  serials_.erase(watched.serial);
  if (interest != Interest::kNone) {
    serials_.emplace(watched.serial, found->second);
  }
  watched.interest = interest;
  return {};
}

void EventLoop::unwatch(int fd) {
  const auto found = watches_.find(fd);
  if (found == watches_.end()) {
    return;
  }
  const auto removed = change(fd, Interest::kNone);
  CHECK(removed.ok());  // it fails only when `fd` was closed before: see watch()
  watches_.erase(found);
}

void EventLoop::on_turn(std::function<TimePoint(TimePoint now)> hook) {
  hooks_.push_back(std::move(hook));
}

Result<void> EventLoop::run() {
  stopping_ = false;
  now_ = clock_.now();
  TimePoint next = run_hooks();
  while (!stopping_) {
    std::array<epoll_event, kEventsPerTurn> events{};
    const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsPerTurn,
                                   wait_milliseconds(clock_.now(), next));
    if (count < 0 && errno != EINTR) {
      return errno_error("wait for events", errno);
    }
    now_ = clock_.now();
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      dispatch(event.data.u64, event.events);
    }
    next = run_hooks();
  }
  return {};
}

void EventLoop::stop() {
  signal_eventfd(wake_.get());
}

// By serial number, not by descriptor: a handler may have unwatched and closed that descriptor in
// this turn, and another may have opened and watched one of the same number.
void EventLoop::dispatch(std::uint64_t serial, std::uint32_t bits) {
  const auto found = serials_.find(serial);
  if (found == serials_.end()) {
    return;
  }
  const std::shared_ptr<Watch> kept = found->second;  // the handler may unwatch itself
  kept->handler(ready_of(bits, kept->interest));
}

TimePoint EventLoop::run_hooks() {
  TimePoint next = kNever;
  // A hook that adds a hook invalidates iterators.
  // NOLINTNEXTLINE(modernize-loop-convert)
  for (std::size_t i = 0; i < hooks_.size(); ++i) {
    next = std::min(next, hooks_[i](now_));
  }
  return next;
}

}  // namespace pgwalship
