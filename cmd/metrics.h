// The daemon's figures as Prometheus wants them, made of its status report. Pure. Every name is
// explained in docs/monitoring/README.md (a test compares them).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgwalship {

struct Metric {
  enum class Type { kCounter, kGauge, kHistogram };
  using Labels = std::vector<std::pair<std::string, std::string>>;
  struct Sample {
    Labels labels;
    double value = 0;
  };
  struct Histogram {
    std::vector<double> bounds;         // upper ones; the last class has none
    std::vector<std::uint64_t> counts;  // of each class alone; one more than bounds
    double sum = 0;
  };

  std::string_view name;
  Type type;
  std::string_view help;
  std::vector<Sample> samples = {};  // none: not known
  Histogram histogram = {};          // of kHistogram, without samples
};

// Always the same metrics in the same order. Without a report that can be read: `pgwalship_up` is 0
// and the others have no samples.
std::vector<Metric> metrics_of(std::string_view report);

}  // namespace pgwalship
