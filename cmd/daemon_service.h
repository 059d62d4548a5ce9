// This daemon as a service: what its manager is told and when. READY once clients can connect, one
// line of STATUS, signs of life while it works (cmd/daemon_health.h). Loop thread.
#pragma once

#include "archiver/shipper.h"
#include "base/log.h"
#include "base/service_manager.h"
#include "base/worker.h"
#include "cmd/daemon_health.h"

#include <functional>
#include <string>
#include <vector>

namespace pgwalship {

// Whether the quorum is held, and which peers are missing, in one line.
std::string service_line(const NodeList& nodes, const Quorum& quorum, const Shipper& shipper);

class DaemonService {
 public:
  struct Options {
    ServiceManager::Environment environment;
    std::function<std::string(TimePoint now)> status;  // in one line
    // Borrowed. A null one does not run.
    std::vector<std::pair<std::string, const Worker*>> workers;
  };

  DaemonService(Options options, Log& log);

  void ready(TimePoint now);
  void reloading(TimePoint now);  // until ready() says that it is over
  void stopping(std::string_view why);
  // For EventLoop::on_turn.
  TimePoint tick(TimePoint now);

 private:
  void look_after_workers(TimePoint now);
  void tell_status(TimePoint now);

  const Options options_;
  Log& log_;
  ServiceManager manager_;
  DaemonHealth health_;
  DaemonHealth::Verdict verdict_;
  std::string told_;
  bool ready_ = false;
  bool stopping_ = false;
  TimePoint next_look_{};
  TimePoint next_status_{};
};

}  // namespace pgwalship
