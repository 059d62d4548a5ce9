#include "archiver/pg_wal_gauge.h"

#include "wal/segment_name.h"

#include <algorithm>

namespace pgwalship {
namespace {

constexpr std::chrono::seconds kSampleInterval{10};

}  // namespace

Result<PgWalSample> read_pg_wal_sample(const FileSystem& file_system, const std::string& pg_wal) {
  const std::string directory = pg_wal + "/";
  PgWalSample sample;
  TRY_ASSIGN(sample.free_bytes, file_system.free_bytes(pg_wal));
  TRY_ASSIGN(const std::vector<std::string> files, file_system.list(pg_wal));
  std::uint64_t segments = 0;
  std::uint64_t segment_bytes = 0;
  for (const std::string& file : files) {
    const Result<WalName> name = WalName::parse(file);
    if (!name.ok() || name.value().kind() != WalKind::kSegment) {
      continue;
    }
    ++segments;
    if (segment_bytes == 0) {  // they are all of one size
      const Result<FileStat> stat = file_system.stat(directory + file);
      segment_bytes = stat.ok() ? stat.value().size : 0;
    }
  }
  sample.wal_bytes = segments * segment_bytes;
  TRY_ASSIGN(const std::vector<std::string> marks, file_system.list(directory + "archive_status"));
  sample.ready = static_cast<std::uint64_t>(
      std::count_if(marks.begin(), marks.end(),
                    [](const std::string& mark) { return mark.ends_with(".ready"); }));
  return sample;
}

TimePoint PgWalGauge::tick(TimePoint now) {
  if (options_.pg_wal.empty()) {
    return kNever;
  }
  if (next_ <= now) {
    next_ = now + kSampleInterval;
    std::ignore = machine_.scans.post([this]() -> Worker::Completion {  // the next one is soon
      const Result<PgWalSample> sample = read_pg_wal_sample(machine_.file_system, options_.pg_wal);
      return [this, sample] {
        if (!sample.ok()) {
          return;  // a server that is being made anew has none: status shows that it is not known
        }
        if (const auto line = forecast_.take(sample.value(), machine_.loop.now())) {
          machine_.log.write(line->level, line->text);
        }
      };
    });
  }
  return next_;
}

}  // namespace pgwalship
