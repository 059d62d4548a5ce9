// Private to the files of the archive store: what an operator can do when a disk is full.
#pragma once

#include "base/result.h"

#include <string_view>

namespace pgwalship {

inline constexpr std::string_view kSpaceHint =
    "free space in the archive's file system (old base backups and the WAL before them), or give "
    "it more; nothing is lost while PostgreSQL can keep the segment";

inline Error with_hint(Error error) {
  if (error.code == Errc::kNoSpace && error.hint.empty()) {
    error.hint = kSpaceHint;
  }
  return error;
}

}  // namespace pgwalship
