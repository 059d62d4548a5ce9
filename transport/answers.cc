#include "transport/answers.h"

namespace pgwalship {
namespace {

template <typename... Kinds>
bool is_error_or(const Message& answer) {
  const auto* done = std::get_if<Done>(&answer);
  return (done != nullptr && done->error) || (std::holds_alternative<Kinds>(answer) || ...);
}

struct Check {
  AnswerCheck operator()(const Put&) const { return is_error_or<Done>; }
  AnswerCheck operator()(const Reconciled&) const { return is_error_or<Done>; }
  AnswerCheck operator()(const Offer&) const { return is_error_or<Done, OfferDeclined>; }
  AnswerCheck operator()(const Stat&) const { return is_error_or<StatResult>; }
  AnswerCheck operator()(const Get&) const { return is_error_or<GetBegin, Data, GetEnd>; }
  AnswerCheck operator()(const CompareRanges&) const { return is_error_or<CompareResult>; }
  AnswerCheck operator()(const Probe&) const { return is_error_or<ProbeAnswer>; }
  AnswerCheck operator()(const MachineQuery&) const { return is_error_or<MachineFacts>; }
  // The rest are no requests on a link.
  template <typename Other>
  AnswerCheck operator()(const Other&) const {
    return is_error_or<>;
  }
};

}  // namespace

std::optional<std::uint64_t> answered_id(const Message& message) {
  return std::visit(
      [](const auto& m) -> std::optional<std::uint64_t> {
        if constexpr (requires { m.id; }) {
          return m.id;
        } else {
          return std::nullopt;
        }
      },
      message);
}

bool ends_request(const Message& answer) {
  return !std::holds_alternative<GetBegin>(answer) && !std::holds_alternative<Data>(answer);
}

AnswerCheck answers_to(const Message& request) {
  return std::visit(Check{}, request);
}

}  // namespace pgwalship
