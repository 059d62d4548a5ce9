// Which messages answer which request (docs/protocol.md, section 4). Pure.
#pragma once

#include "transport/messages.h"

#include <optional>

namespace pgwalship {

// The id of the request that a message answers; nothing for what is no answer.
std::optional<std::uint64_t> answered_id(const Message& message);

bool ends_request(const Message& answer);

// Whether a message may answer the request that the check was made for.
using AnswerCheck = bool (*)(const Message& answer);
AnswerCheck answers_to(const Message& request);

}  // namespace pgwalship
