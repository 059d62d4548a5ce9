// Result<T>: a value, or an Error that says what the caller can do about it.
//
// An Error is made once, where something failed, and gains context on its way up:
//     fsync '…0A.tmp': Input/output error  ->  store 00…0A: fsync '…0A.tmp': Input/output error
// It is logged once, where it is consumed; a function that returns an Error does not log it.
// Messages are lower case without a full stop; `hint` is what the operator can do, or empty.
// (std::expected needs C++23, which g++ 12 does not have.)
#pragma once

#include "base/check.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace pgwalship {

enum class Errc {
  kNotFound,       // it is not there
  kAlreadyExists,  // the name is taken
  kConflict,       // the name is taken by other bytes: never retry, tell the operator
  kRetry,          // it may work later: peer away, queue full, daemon starting
  kTimeout,        // the deadline passed
  kProtocol,       // the other side broke the protocol: drop the session
  kCorrupt,        // stored or received bytes are not what they claim to be
  kNoSpace,        // ENOSPC, EDQUOT
  kIo,             // the disk or the system refused
  kInvalid,        // the request is wrong and will stay wrong
};

// The code as one lower-case word, for logs and JSON ("not_found", "conflict", ...).
std::string_view to_word(Errc code);

struct Error {
  Errc code = Errc::kIo;
  std::string message;
  std::string hint;

  // The same error with `context` in front: "context: message".
  [[nodiscard]] Error within(std::string_view context) const;
  // "message" or "message\nHINT: hint".
  [[nodiscard]] std::string text() const;
};

template <typename T = void>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    CHECK(ok());
    return std::get<0>(state_);
  }
  const T& value() const& {
    CHECK(ok());
    return std::get<0>(state_);
  }
  // By value, so that `for (x : f().value())` does not outlive its range.
  T value() && {
    CHECK(ok());
    return std::get<0>(std::move(state_));
  }
  const Error& error() const {
    CHECK(!ok());
    return std::get<1>(state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    CHECK(!ok());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace pgwalship

#define PGWALSHIP_JOIN_(a, b) a##b
#define PGWALSHIP_JOIN(a, b) PGWALSHIP_JOIN_(a, b)

// Returns the error of a Result from the calling function; goes on when it is ok.
#define TRY(expression)                                       \
  do {                                                        \
    if (auto try_result_ = (expression); !try_result_.ok()) { \
      return try_result_.error();                             \
    }                                                         \
  } while (false)

#define PGWALSHIP_TRY_ASSIGN(holder, variable, expression) \
  auto holder = (expression);                              \
  if (!holder.ok()) {                                      \
    return holder.error();                                 \
  }                                                        \
  variable = std::move(holder).value()

// TRY_ASSIGN(auto x, f()): x is the value of f(), or the error is returned.
#define TRY_ASSIGN(variable, expression) \
  PGWALSHIP_TRY_ASSIGN(PGWALSHIP_JOIN(try_assign_, __LINE__), variable, expression)
