#include "tests/sim/fiber.h"

#include "base/check.h"

#include <cstddef>
#include <sys/mman.h>
#include <ucontext.h>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace pgwalship::sim {

namespace {

// Generous: only the pages that are touched cost memory.
constexpr std::size_t kStackBytes = std::size_t{4} << 20;

Fiber* running = nullptr;

}  // namespace

// Stacks are kept and used again: mapping one costs more than a whole fiber.
struct Fiber::Stack {
  static std::vector<void*>& pool() {
    static std::vector<void*> free_stacks;
    return free_stacks;
  }
  static void* take() {
    if (!pool().empty()) {
      void* memory = pool().back();
      pool().pop_back();
      return memory;
    }
    void* memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
  }
};

struct Fiber::State {
  ucontext_t own{};
  ucontext_t caller{};
  void* stack = nullptr;
  // What the sanitizers want to know about a change of stacks.
  void* own_fake_stack = nullptr;
  void* caller_fake_stack = nullptr;
  const void* caller_bottom = nullptr;
  std::size_t caller_bytes = 0;
  void* own_thread = nullptr;
  void* caller_thread = nullptr;
};

Fiber::Fiber(std::function<void()> body)
    : body_(std::move(body)), state_(std::make_unique<State>()) {}

Fiber::~Fiber() {
  CHECK(!started_ || finished_);
}

Fiber* Fiber::current() {
  return running;
}

void Fiber::resume() {
  CHECK(running == nullptr && !finished_);
  State& state = *state_;
  if (!started_) {
    started_ = true;
    state.stack = Stack::take();
    CHECK(getcontext(&state.own) == 0);
    state.own.uc_stack.ss_sp = state.stack;
    state.own.uc_stack.ss_size = kStackBytes;
    state.own.uc_link = nullptr;
    makecontext(&state.own, &Fiber::enter, 0);
#if defined(__SANITIZE_THREAD__)
    state.own_thread = __tsan_create_fiber(0);
#endif
  }
  running = this;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&state.caller_fake_stack, state.stack, kStackBytes);
#endif
#if defined(__SANITIZE_THREAD__)
  state.caller_thread = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(state.own_thread, 0);
#endif
  CHECK(swapcontext(&state.caller, &state.own) == 0);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(state.caller_fake_stack, nullptr, nullptr);
#endif
  running = nullptr;
  if (finished_) {
    Stack::pool().push_back(std::exchange(state.stack, nullptr));
#if defined(__SANITIZE_THREAD__)
    __tsan_destroy_fiber(state.own_thread);
#endif
  }
}

void Fiber::yield() {
  CHECK(running != nullptr);
  running->leave(false);
}

void Fiber::enter() {
  Fiber& self = *running;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &self.state_->caller_bottom, &self.state_->caller_bytes);
#endif
  self.body_();
  self.body_ = nullptr;
  self.finished_ = true;
  self.leave(true);
}

void Fiber::leave([[maybe_unused]] bool for_good) {
  State& state = *state_;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(for_good ? nullptr : &state.own_fake_stack, state.caller_bottom,
                                 state.caller_bytes);
#endif
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(state.caller_thread, 0);
#endif
  CHECK(swapcontext(&state.own, &state.caller) == 0);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(state.own_fake_stack, &state.caller_bottom, &state.caller_bytes);
#endif
}

}  // namespace pgwalship::sim
