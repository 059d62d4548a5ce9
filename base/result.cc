#include "base/result.h"

namespace pgwalship {

std::string_view to_word(Errc code) {
  switch (code) {
    case Errc::kNotFound:
      return "not_found";
    case Errc::kAlreadyExists:
      return "already_exists";
    case Errc::kConflict:
      return "conflict";
    case Errc::kRetry:
      return "retry";
    case Errc::kTimeout:
      return "timeout";
    case Errc::kProtocol:
      return "protocol";
    case Errc::kCorrupt:
      return "corrupt";
    case Errc::kNoSpace:
      return "no_space";
    case Errc::kIo:
      return "io";
    case Errc::kInvalid:
      return "invalid";
  }
  return "unknown";
}

Error Error::within(std::string_view context) const {
  return Error{code, std::string(context) + ": " + message, hint};
}

std::string Error::text() const {
  return hint.empty() ? message : message + "\nHINT: " + hint;
}

}  // namespace pgwalship
