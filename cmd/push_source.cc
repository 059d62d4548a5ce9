#include "cmd/push_source.h"

#include "wal/segment_header.h"

#include <algorithm>
#include <array>

namespace pgwalship {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;

}  // namespace

Result<PushSource> PushSource::open(FileSystem& file_system, Options options) {
  TRY_ASSIGN(std::unique_ptr<File> file, file_system.open(options.path));
  TRY_ASSIGN(const FileStat stat, file->stat());
  PushSource source(std::move(options), std::move(file), stat);
  source.facts_.raw_bytes = stat.size;
  source.facts_.origin = source.options_.origin;
  if (source.options_.name.is_wal()) {
    TRY(source.read_header());
  } else if (stat.size == 0 || stat.size > kSmallFileBytesMax) {
    return Error{Errc::kInvalid,
                 "'" + source.options_.path + "' has " + std::to_string(stat.size) + " bytes: no " +
                     (source.options_.name.kind() == WalKind::kHistory ? "history" : "backup") +
                     " file of PostgreSQL",
                 ""};
  }
  return source;
}

Result<void> PushSource::read_header() {
  std::array<std::byte, kLongPageHeaderBytes> start{};
  TRY_ASSIGN(const std::size_t got, file_->read_at(0, start));
  TRY_ASSIGN(const SegmentHeader header, parse_segment_header(ByteView(start).first(got)));
  TRY(check_segment(options_.name, header, stat_.size));
  if (options_.system_id != 0 && header.system_id != options_.system_id) {
    return Error{Errc::kInvalid,
                 "the file is of the PostgreSQL cluster with system identifier " +
                     std::to_string(header.system_id) + ", this archive is of " +
                     std::to_string(options_.system_id),
                 "give each PostgreSQL cluster an archive of its own"};
  }
  facts_.system_id = header.system_id;
  facts_.timeline = options_.name.timeline();
  facts_.lsn = header.page_lsn;
  facts_.segment_bytes = header.segment_bytes;
  return {};
}

Result<void> PushSource::measure() {
  Sha256Hasher hasher;
  raw_crc32_ = 0;
  TRY(read_all([&](ByteView raw) -> Result<Next> {
    hasher.update(raw);
    raw_crc32_ = crc32(raw_crc32_, raw);
    return Next::kGoOn;
  }));
  facts_.sha256 = hasher.finish();
  return {};
}

Result<std::optional<std::uint32_t>> PushSource::compress(int level, const Sink& sink) const {
  GzipWriter writer(facts_, options_.name.text(), level);
  Bytes ready;
  std::uint32_t file_crc32 = 0;
  bool stopped = false;
  const auto hand_out = [&]() -> Result<Next> {
    for (std::size_t sent = 0; sent < ready.size();) {
      const ByteView piece =
          ByteView(ready).subspan(sent, std::min(kDataBytesMax, ready.size() - sent));
      file_crc32 = crc32(file_crc32, piece);
      sent += piece.size();
      TRY_ASSIGN(const Next next, sink(piece));
      if (next == Next::kStop) {
        stopped = true;
        return Next::kStop;
      }
    }
    ready.clear();
    return Next::kGoOn;
  };
  TRY(read_all([&](ByteView raw) -> Result<Next> {
    writer.write(raw, ready);
    return ready.size() < kDataBytesMax ? Next::kGoOn : hand_out();
  }));
  if (!stopped) {
    writer.finish(ready);
    TRY(hand_out());
  }
  if (stopped) {
    return std::optional<std::uint32_t>();
  }
  if (writer.raw_crc32() != raw_crc32_) {
    return changed();
  }
  TRY(check_unchanged());
  return std::optional(file_crc32);
}

Result<void> PushSource::read_all(const std::function<Result<Next>(ByteView raw)>& sink) const {
  Bytes buffer(std::min<std::uint64_t>(kReadBytes, stat_.size));
  for (std::uint64_t offset = 0; offset < stat_.size;) {
    const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), stat_.size - offset);
    TRY_ASSIGN(const std::size_t got, file_->read_at(offset, std::span(buffer).first(wanted)));
    if (got != wanted) {
      return changed();
    }
    offset += got;
    TRY_ASSIGN(const Next next, sink(ByteView(buffer).first(got)));
    if (next == Next::kStop) {
      return {};
    }
  }
  return {};
}

Result<void> PushSource::check_unchanged() const {
  TRY_ASSIGN(const FileStat now, file_->stat());
  if (now.size != stat_.size || now.modified != stat_.modified) {
    return changed();
  }
  return {};
}

Error PushSource::changed() const {
  return Error{Errc::kRetry, "'" + options_.path + "' changed while it was read",
               "only PostgreSQL may call push, for a segment that it has finished"};
}

}  // namespace pgwalship
