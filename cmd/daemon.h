// pgwalshipd: makes the real clock, disks, links and sockets, and connects them to the services.
// One loop thread, two disk workers, one thread per peer. Decides nothing about WAL.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "cmd/config.h"

#include <memory>

namespace pgwalship {

class Daemon {
 public:
  // Fails when another daemon runs, a directory or a key file is missing, and so on. Blocks the
  // signals that run() handles in the calling thread: call it before any other thread exists.
  static Result<std::unique_ptr<Daemon>> start(const Config& config, const Clock& clock, Log& log);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Until SIGTERM or SIGINT; then answers what is open, for a bounded time (H49). SIGHUP reads the
  // configuration again and takes over what cmd/reload.h says.
  Result<void> run();

 private:
  struct Parts;
  explicit Daemon(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace pgwalship
