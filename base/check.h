// CHECK(condition): a broken promise of our own code. Always on, in every build: prints where and
// aborts. The archive directory is the only state, so a restart loses nothing. What comes from
// outside (a peer, a client, a disk, a configuration) is never CHECKed: it becomes an Error.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace pgwalship {

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "pgwalship: %s:%d: broken invariant: %s\n", file, line, condition);
  std::abort();
}

}  // namespace pgwalship

#define CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::pgwalship::check_failed(#condition, __FILE__, __LINE__))
