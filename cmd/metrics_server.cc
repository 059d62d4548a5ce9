#include "cmd/metrics_server.h"

#include <array>
#include <poll.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/text_serializer.h>
#include <sstream>

namespace pgwalship {
namespace {

// Prometheus gives up after 10 s by default; the loop answers within milliseconds, unless the disk
// is slow.
constexpr int kScrapeLimitMs = 5000;
// As many as the server has threads (prometheus-cpp's default) and one that was given up.
constexpr std::size_t kScrapesMax = 4;
constexpr std::size_t kThreads = 2;

prometheus::MetricType type_of(Metric::Type type) {
  switch (type) {
    case Metric::Type::kCounter:
      return prometheus::MetricType::Counter;
    case Metric::Type::kGauge:
      return prometheus::MetricType::Gauge;
    case Metric::Type::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

// Prometheus counts in each class what is below it, too.
prometheus::ClientMetric histogram_of(const Metric::Histogram& histogram) {
  prometheus::ClientMetric metric;
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    below += histogram.counts[i];
    metric.histogram.bucket.push_back({below, i < histogram.bounds.size()
                                                  ? histogram.bounds[i]
                                                  : std::numeric_limits<double>::infinity()});
  }
  metric.histogram.sample_count = below;
  metric.histogram.sample_sum = histogram.sum;
  return metric;
}

std::vector<prometheus::MetricFamily> families_of(const std::vector<Metric>& metrics) {
  std::vector<prometheus::MetricFamily> families;
  for (const Metric& metric : metrics) {
    prometheus::MetricFamily family;
    family.name = metric.name;
    family.help = metric.help;
    family.type = type_of(metric.type);
    if (!metric.histogram.counts.empty()) {
      family.metric.push_back(histogram_of(metric.histogram));
    }
    for (const Metric::Sample& sample : metric.samples) {
      prometheus::ClientMetric out;
      for (const auto& [name, value] : sample.labels) {
        out.label.push_back({name, value});
      }
      (metric.type == Metric::Type::kCounter ? out.counter.value : out.gauge.value) = sample.value;
      family.metric.push_back(std::move(out));
    }
    if (!family.metric.empty()) {
      families.push_back(std::move(family));
    }
  }
  return families;
}

}  // namespace

std::string metrics_text(const std::vector<Metric>& metrics) {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families_of(metrics));
  return text.str();
}

// What crosses the threads. A question is the mailbox for its answer.
struct MetricsServer::Scrapes {
  using Answer = Mailbox<std::string>;

  Mailbox<std::shared_ptr<Answer>> questions{kScrapesMax};
  Fd stop = make_eventfd();
};

class MetricsServer::Exporter {
 public:
  Exporter(const std::string& address, std::shared_ptr<Scrapes> scrapes)
      : scrapes_(scrapes),
        collector_(std::make_shared<Collector>(std::move(scrapes))),
        exposer_(address, kThreads) {
    exposer_.RegisterCollectable(collector_);
  }
  ~Exporter() { signal_eventfd(scrapes_->stop.get()); }

 private:
  // Called on the exporter's threads.
  class Collector : public prometheus::Collectable {
   public:
    explicit Collector(std::shared_ptr<Scrapes> scrapes) : scrapes_(std::move(scrapes)) {}

    std::vector<prometheus::MetricFamily> Collect() const override {
      return families_of(metrics_of(ask()));
    }

   private:
    // Empty when the loop does not answer in time.
    std::string ask() const {
      const auto answer = std::make_shared<Scrapes::Answer>(1);
      auto question = answer;
      if (!scrapes_->questions.try_push(question)) {
        return "";
      }
      std::array<pollfd, 2> fds{pollfd{answer->event_fd(), POLLIN, 0},
                                pollfd{scrapes_->stop.get(), POLLIN, 0}};
      ::poll(fds.data(), fds.size(), kScrapeLimitMs);
      return answer->try_pop().value_or("");
    }

    const std::shared_ptr<Scrapes> scrapes_;
  };

  const std::shared_ptr<Scrapes> scrapes_;
  const std::shared_ptr<Collector> collector_;
  prometheus::Exposer exposer_;
};

MetricsServer::MetricsServer(EventLoop& loop, Report report)
    : loop_(loop), report_(std::move(report)), scrapes_(std::make_shared<Scrapes>()) {}

MetricsServer::~MetricsServer() {
  exporter_.reset();
  loop_.unwatch(scrapes_->questions.event_fd());
}

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const std::string& address,
                                                            EventLoop& loop, Report report) {
  std::unique_ptr<MetricsServer> server(new MetricsServer(loop, std::move(report)));
  MetricsServer* raw = server.get();
  TRY(loop.watch(raw->scrapes_->questions.event_fd(), Interest::kRead,
                 [raw](EventLoop::Ready) { raw->answer(); }));
  try {
    server->exporter_ = std::make_unique<Exporter>(address, server->scrapes_);
  } catch (const std::exception& exception) {  // civetweb's, without a reason
    return Error{Errc::kInvalid, "[daemon] metrics-listen: nothing can listen on '" + address + "'",
                 "an address of this machine and a free port, as in 127.0.0.1:9187; `ss -ltnp` "
                 "shows who has the port"};
  }
  return server;
}

void MetricsServer::answer() {
  while (auto question = scrapes_->questions.try_pop()) {
    report_([answer = std::move(*question)](std::string report) {
      std::ignore = answer->try_push(report);  // whoever asked may have given up: nobody reads it
    });
  }
}

}  // namespace pgwalship
