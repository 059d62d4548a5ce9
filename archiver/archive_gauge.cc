#include "archiver/archive_gauge.h"

#include "wal/archive_layout.h"

namespace pgwalship {
namespace {

// A million files take a second of a disk that knows them, and much longer of one that does not.
constexpr std::chrono::minutes kInterval{5};

}  // namespace

Result<std::uint64_t> archive_bytes(const FileSystem& file_system, const std::string& archive) {
  std::uint64_t bytes = 0;
  TRY(file_system.visit_files(archive, [&](std::string_view name, const FileStat& stat) {
    bytes += ArchiveLayout::name_of_file(name) ? stat.size : 0;
  }));
  return bytes;
}

TimePoint ArchiveGauge::tick(TimePoint now) {
  if (next_ <= now) {
    next_ = now + kInterval;
    const auto look = [this]() -> Worker::Completion {
      const Result<std::uint64_t> bytes = archive_bytes(machine_.file_system, archive_);
      return [this, bytes] {
        looking_ = false;
        view_.bytes = bytes.ok() ? std::optional(bytes.value()) : std::nullopt;
      };
    };
    looking_ = looking_ || machine_.quiet.post(look);  // one at a time
  }
  return next_;
}

}  // namespace pgwalship
