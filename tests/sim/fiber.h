// A body of code that can stop in the middle and go on later: how one thread runs many processes
// of the simulated cluster, and how one disk operation of a process can be followed by one of
// another. Not preemptive: a fiber runs until it yields or ends. All fibers belong to one thread.
#pragma once

#include <functional>
#include <memory>

namespace pgwalship::sim {

class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  // REQUIRES: finished(), or never resumed.
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Runs the body until its next yield() or its end. REQUIRES: not finished, not inside a fiber.
  void resume();
  bool finished() const { return finished_; }

  // Goes back to whoever called resume(). REQUIRES: inside a fiber.
  static void yield();
  // Nothing outside of fibers.
  static Fiber* current();

 private:
  struct Stack;
  struct State;

  static void enter();
  void leave(bool for_good);

  std::function<void()> body_;
  std::unique_ptr<State> state_;
  bool started_ = false;
  bool finished_ = false;
};

}  // namespace pgwalship::sim
