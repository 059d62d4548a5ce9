#include "tests/sim/schedule.h"

#include "base/check.h"

namespace pgwalship::sim {

Duration Schedule::between(Duration low, Duration high) {
  const auto span = static_cast<std::uint64_t>((high - low).count()) + 1;
  return low + Duration(static_cast<Duration::rep>(random_.below(span)));
}

void Schedule::at(TimePoint when, std::function<void()> event) {
  events_.emplace(std::pair(std::max(when, now_), next_number_++), std::move(event));
}

bool Schedule::step(TimePoint end) {
  if (events_.empty() || events_.begin()->first.first > end) {
    now_ = std::max(now_, end);
    return false;
  }
  now_ = events_.begin()->first.first;
  const auto event = std::move(events_.begin()->second);
  events_.erase(events_.begin());
  event();
  return true;
}

void Process::kill() {
  CHECK(Fiber::current() == nullptr);
  alive_ = false;
  while (!tasks_.empty()) {
    resume(tasks_.begin()->first);
  }
  events_->clear();
}

void Process::spawn(std::function<void()> body) {
  if (!alive()) {
    return;
  }
  const std::uint64_t number = next_task_++;
  tasks_[number].fiber = std::make_unique<Fiber>(std::move(body));
  after(Duration::zero(), [this, number] { resume(number); });
}

void Process::sleep(Duration duration) {
  if (alive()) {
    after(duration, make_alarm());
    Fiber::yield();
  }
}

void Process::after(Duration delay, std::function<void()> event) {
  if (!alive()) {
    return;
  }
  const std::uint64_t number = next_event_++;
  events_->emplace(number, std::move(event));
  schedule_.after(delay, [weak = std::weak_ptr(events_), number] {
    const std::shared_ptr<Events> events = weak.lock();
    if (!events) {
      return;
    }
    if (const auto found = events->find(number); found != events->end()) {
      const auto event_now = std::move(found->second);
      events->erase(found);
      event_now();
    }
  });
}

std::function<void()> Process::make_alarm() {
  const std::uint64_t number = current();
  const std::uint64_t nap = ++tasks_.at(number).naps;
  return [this, number, nap] {
    const auto sleeper = tasks_.find(number);
    if (sleeper != tasks_.end() && sleeper->second.naps == nap) {
      resume(number);
    }
  };
}

void Process::resume(std::uint64_t number) {
  Task& task = tasks_.at(number);
  ++task.naps;
  task.fiber->resume();
  if (task.fiber->finished()) {
    tasks_.erase(number);
  }
}

std::uint64_t Process::current() const {
  for (const auto& [number, task] : tasks_) {
    if (task.fiber.get() == Fiber::current()) {
      return number;
    }
  }
  check_failed("a fiber of this process", __FILE__, __LINE__);
}

void Process::Bell::wait(Process& process) {
  if (!rung_ && process.alive()) {
    wake_ = [&process, alarm = process.make_alarm()] { process.after(Duration::zero(), alarm); };
    Fiber::yield();
  }
  rung_ = false;
  wake_ = nullptr;
}

void Process::Bell::ring() {
  rung_ = true;
  if (wake_) {
    std::exchange(wake_, nullptr)();
  }
}

}  // namespace pgwalship::sim
