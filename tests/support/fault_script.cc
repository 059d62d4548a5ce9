#include "tests/support/fault_script.h"

namespace pgwalship {

Result<void> FaultScript::check_running(const std::string& doing) const {
  if (halted()) {
    return Error{Errc::kIo, doing + ": the machine has halted", {}};
  }
  return {};
}

Result<void> FaultScript::look(const Step& step) {
  TRY(check_running(step.doing));
  return take_fault(step);
}

Result<void> FaultScript::mutate(const Step& step,
                                 const std::function<Result<void>(Result<void> fault)>& body) {
  TRY(check_running(step.doing));
  ++mutations_;
  Result<void> result = body(take_fault(step));
  operations_.push_back(step.logged + (result.ok() ? "" : " failed"));
  return result;
}

Result<void> FaultScript::take_fault(const Step& step) {
  for (Fault& fault : faults_) {
    const bool matches = fault.operation == step.operation && fault.count > 0 &&
                         step.path.find(fault.path_part) != std::string::npos;
    if (matches && fault.after > 0) {
      --fault.after;
    } else if (matches) {
      --fault.count;
      return fault.error.within(step.doing);
    }
  }
  return {};
}

}  // namespace pgwalship
