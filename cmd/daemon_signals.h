// The signals that the daemon acts on, as a descriptor for its loop.
#pragma once

#include "base/fd.h"
#include "base/result.h"

namespace pgwalship {

// SIGTERM, SIGINT and SIGHUP come from this signalfd(2) from now on, and by no handler. Before any
// thread is made: threads inherit it.
Result<Fd> block_signals();

}  // namespace pgwalship
