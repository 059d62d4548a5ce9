// What goes wrong in a MemoryFileSystem, and when; and the log of what it was asked to do.
// Not thread-safe: MemoryFileSystem calls it with its mutex held.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace pgwalship {

class FaultScript {
 public:
  enum class Operation {
    kCreate,
    kOpen,
    kRead,
    kWrite,
    kSync,
    kLink,
    kRename,
    kRemove,
    kSyncDirectory,
    kMakeDirectories,
    kList,
    kStat,
    kFreeBytes,
  };

  // Fails `count` of the matching operations, after letting the first `after` of them pass.
  struct Fault {
    Operation operation = Operation::kWrite;
    Error error{Errc::kIo, "Input/output error", {}};
    std::uint64_t after = 0;
    std::uint64_t count = 1;
    std::string path_part{};  // only paths that contain it; of link and rename the new one
  };

  // One operation: how errors and the log call it, and the path that faults look at.
  struct Step {
    Operation operation;
    std::string doing;
    std::string logged;
    std::string path;
  };

  void add(Fault fault) { faults_.push_back(std::move(fault)); }
  void clear_faults() { faults_.clear(); }
  void halt_after(std::uint64_t count) { halt_at_ = mutations_ + count; }
  void resume() { halt_at_.reset(); }
  bool halted() const { return halt_at_ && mutations_ >= *halt_at_; }
  std::uint64_t mutations() const { return mutations_; }
  const std::vector<std::string>& operations() const { return operations_; }
  void clear_operations() { operations_.clear(); }

  Result<void> check_running(const std::string& doing) const;
  // For an operation that changes nothing.
  Result<void> look(const Step& step);
  // Runs `body`, unless the machine has halted; a scripted fault is passed to `body`, which returns
  // it after what little it does in that case.
  Result<void> mutate(const Step& step,
                      const std::function<Result<void>(Result<void> fault)>& body);

 private:
  Result<void> take_fault(const Step& step);

  std::vector<Fault> faults_;
  std::vector<std::string> operations_;
  std::uint64_t mutations_ = 0;
  std::optional<std::uint64_t> halt_at_;
};

}  // namespace pgwalship
