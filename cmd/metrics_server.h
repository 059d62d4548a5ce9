// Serves the metrics to Prometheus over HTTP. The only place that knows prometheus-cpp. Its threads
// never touch what the loop owns: a scrape puts a question into a mailbox, the loop answers with a
// finished status report, and the scrape turns that into metrics by itself.
#pragma once

#include "base/event_loop.h"
#include "base/mailbox.h"
#include "base/result.h"
#include "cmd/metrics.h"

#include <functional>
#include <memory>
#include <string>

namespace pgwalship {

// The text that Prometheus reads, as the server gives it.
std::string metrics_text(const std::vector<Metric>& metrics);

class MetricsServer {
 public:
  // Gives the status report to the handler, from a later turn of the loop.
  using Report = std::function<void(std::function<void(std::string)> handler)>;

  // `address` is ADDRESS:PORT. kInvalid with a hint when nothing can listen there. The loop is
  // borrowed, and neither runs nor is destroyed while this goes.
  static Result<std::unique_ptr<MetricsServer>> start(const std::string& address, EventLoop& loop,
                                                      Report report);
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

 private:
  struct Scrapes;
  class Exporter;

  MetricsServer(EventLoop& loop, Report report);
  void answer();

  EventLoop& loop_;
  const Report report_;
  std::shared_ptr<Scrapes> scrapes_;
  std::unique_ptr<Exporter> exporter_;  // goes first: it ends the threads that ask
};

}  // namespace pgwalship
