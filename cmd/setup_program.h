// The verbs of `pgwalship` that set a node up. They need libssh and libpq, which the client that
// PostgreSQL starts for every segment must not load; so they are a program of their own,
// pgwalship-setup, which `pgwalship` becomes (cmd/setup_verbs.cc).
#pragma once

#include "cmd/verbs.h"

#include <string>
#include <string_view>

namespace pgwalship {

// 0 done; 1 something is wrong, and was said; 2 wrong command line or configuration.
inline constexpr int kSetupDone = 0;
inline constexpr int kSetupFailed = 1;
inline constexpr int kSetupUsage = 2;

// What setup verbs share. `client` is the path of the `pgwalship` that was called.
struct SetupInvocation {
  Invocation invocation;
  std::string client;
};

int run_keys(const SetupInvocation& setup);
int run_config(const SetupInvocation& setup);
int run_adopt(const SetupInvocation& setup);

// To standard output, and to standard error; a closed pipe is no error.
void print_out(std::string_view text);
void print_note(std::string_view text);

}  // namespace pgwalship
