#include "cmd/push_source.h"

#include "wal/segment_header.h"

#include <algorithm>
#include <array>

namespace pgwalship {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;

// What is compressed, on its way out: the header cannot be made before the hash is known.
class Outlet {
 public:
  using Next = PushSource::Next;
  enum class More { kComes, kNone };

  Outlet(FileFacts facts, std::string name, PushSource::Measuring measuring,
         const PushSource::Recipient& recipient)
      : facts_(std::move(facts)),
        name_(std::move(name)),
        measuring_(std::move(measuring)),
        recipient_(recipient) {}

  Bytes& ready() { return ready_; }  // what give() has not taken yet

  Result<Next> give(More more) {
    const bool all = more == More::kNone;
    if (!measured_) {
      if (!all && ready_.size() < PushSource::kAheadBytesMax &&
          measuring_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
        return Next::kGoOn;
      }
      TRY(begin());
    }
    if (!stopped_ && (all || ready_.size() >= kDataBytesMax)) {
      TRY(hand_out(ready_));
      ready_.clear();
    }
    return stopped_ ? Next::kStop : Next::kGoOn;
  }

  bool stopped() const { return stopped_; }
  const PushSource::Measured& measured() const { return *measured_; }
  std::uint32_t file_crc32() const { return file_crc32_; }

 private:
  Result<void> begin() {
    TRY_ASSIGN(measured_, measuring_.get());
    facts_.sha256 = measured_->sha256;
    TRY_ASSIGN(const Next next, recipient_.announce(facts_));
    stopped_ = next == Next::kStop;
    return stopped_ ? Result<void>() : hand_out(make_gzip_header(facts_, name_));
  }

  Result<void> hand_out(ByteView bytes) {
    while (!bytes.empty() && !stopped_) {
      const ByteView piece = bytes.first(std::min(kDataBytesMax, bytes.size()));
      bytes = bytes.subspan(piece.size());
      file_crc32_ = crc32(file_crc32_, piece);
      TRY_ASSIGN(const Next next, recipient_.sink(piece));
      stopped_ = next == Next::kStop;
    }
    return {};
  }

  FileFacts facts_;
  const std::string name_;
  PushSource::Measuring measuring_;
  const PushSource::Recipient& recipient_;
  std::optional<PushSource::Measured> measured_;
  Bytes ready_;
  std::uint32_t file_crc32_ = 0;
  bool stopped_ = false;
};

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
  facts_.timeline = header.timeline;
  facts_.lsn = header.page_lsn;
  facts_.segment_bytes = header.segment_bytes;
  return {};
}

Result<PushSource::Measured> PushSource::measure() const {
  TRY_ASSIGN(const std::unique_ptr<File> file, file_->duplicate());
  Sha256Hasher hasher;
  Measured measured;
  TRY(read_all(*file, [&](ByteView raw) -> Result<Next> {
    hasher.update(raw);
    measured.crc32 = crc32(measured.crc32, raw);
    return Next::kGoOn;
  }));
  measured.sha256 = hasher.finish();
  return measured;
}

Result<std::optional<std::uint32_t>> PushSource::compress(int level, Measuring measuring,
                                                          const Recipient& recipient) const {
  GzipWriter writer(level);
  Outlet outlet(facts_, options_.name.text(), std::move(measuring), recipient);
  TRY(read_all(*file_, [&](ByteView raw) -> Result<Next> {
    writer.write(raw, outlet.ready());
    return outlet.give(Outlet::More::kComes);
  }));
  if (!outlet.stopped()) {
    writer.finish(outlet.ready());
    TRY(outlet.give(Outlet::More::kNone));
  }
  if (outlet.stopped()) {
    return std::optional<std::uint32_t>();
  }
  if (writer.raw_crc32() != outlet.measured().crc32) {
    return changed();
  }
  TRY(check_unchanged());
  return std::optional(outlet.file_crc32());
}

Result<void> PushSource::read_all(const File& file,
                                  const std::function<Result<Next>(ByteView raw)>& sink) const {
  Bytes buffer(std::min<std::uint64_t>(kReadBytes, stat_.size));
  for (std::uint64_t offset = 0; offset < stat_.size;) {
    const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), stat_.size - offset);
    TRY_ASSIGN(const std::size_t got, file.read_at(offset, std::span(buffer).first(wanted)));
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
