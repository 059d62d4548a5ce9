#include "wal/pg_wal_file.h"

#include "wal/record_walk.h"
#include "wal/segment_header.h"
#include "wal/segment_pages.h"

#include <algorithm>
#include <array>
#include <optional>

namespace pgwalship {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kWriteBytes = 256 * 1024;
// What .history and .backup files may have; PostgreSQL's are a few hundred bytes.
constexpr std::uint64_t kSmallFileBytesMax = 16U << 20;

Error not_written(const std::string& path, const std::string& why) {
  return Error{Errc::kRetry, "'" + path + "' is not written yet: " + why, ""};
}

// Whether a segment holds all that will ever be in it. Where the records cannot be followed
// although all pages are there, only their end within the last page speaks against it.
bool reaches_end(const SegmentPages& pages, const RecordWalk& records, const FileFacts& facts,
                 std::uint32_t block_bytes) {
  if (pages.foreign() > 0) {
    return false;
  }
  const std::uint64_t last_page = facts.lsn + facts.segment_bytes - block_bytes;
  switch (records.end()) {
    case RecordWalk::End::kContinued:
    case RecordWalk::End::kFull:
    case RecordWalk::End::kSwitch:
      return true;
    case RecordWalk::End::kNotYet:
    case RecordWalk::End::kZero:
    case RecordWalk::End::kBadLength:
    case RecordWalk::End::kBadPrevious:
    case RecordWalk::End::kBadChecksum:
    case RecordWalk::End::kBadPage:
    case RecordWalk::End::kNoWal:
    case RecordWalk::End::kTruncated:
      return pages.good() == pages.pages() && records.records_end() < last_page;
  }
  return false;
}

}  // namespace

Result<PgWalFile> PgWalFile::open(FileSystem& file_system, Options options) {
  TRY_ASSIGN(std::unique_ptr<File> file, file_system.open(options.path));
  TRY_ASSIGN(const FileStat stat, file->stat());
  PgWalFile source(std::move(options), std::move(file), stat);
  source.facts_.raw_bytes = stat.size;
  source.facts_.origin = source.options_.origin;
  if (source.options_.name.is_wal()) {
    TRY(source.read_header());
  } else if (stat.size == 0) {
    return not_written(source.options_.path, "it is empty");
  } else if (stat.size > kSmallFileBytesMax) {
    return Error{Errc::kInvalid,
                 "'" + source.options_.path + "' has " + std::to_string(stat.size) +
                     " bytes: no such file of PostgreSQL",
                 ""};
  }
  return source;
}

Result<void> PgWalFile::read_header() {
  std::array<std::byte, kLongPageHeaderBytes> start{};
  TRY_ASSIGN(const std::size_t got, file_->read_at(0, start));
  const Result<SegmentHeader> header = parse_segment_header(ByteView(start).first(got));
  if (!header.ok()) {
    return not_written(options_.path, header.error().message);
  }
  if (const auto fits = check_segment(options_.name, header.value(), stat_.size); !fits.ok()) {
    return not_written(options_.path, fits.error().message);
  }
  const std::uint64_t system_id = header.value().system_id;
  if (options_.system_id != 0 && system_id != options_.system_id) {
    return Error{Errc::kInvalid,
                 "'" + options_.path + "' is of the PostgreSQL cluster with system identifier " +
                     std::to_string(system_id) + ", this archive is of " +
                     std::to_string(options_.system_id),
                 "give each PostgreSQL cluster an archive of its own"};
  }
  facts_.system_id = system_id;
  facts_.timeline = header.value().timeline;
  facts_.lsn = header.value().page_lsn;
  facts_.segment_bytes = header.value().segment_bytes;
  block_bytes_ = header.value().block_bytes;
  return {};
}

// What is followed through a segment to know whether it is finished.
class PgWalFile::Survey {
 public:
  Survey(const FileFacts& facts, std::uint32_t block_bytes)
      : facts_(facts), block_bytes_(block_bytes), pages_(header(facts, block_bytes)) {}

  void write(ByteView raw) {
    pages_.write(raw);
    records_.write(raw);
  }
  bool is_finished() {
    records_.finish();
    return reaches_end(pages_, records_, facts_, block_bytes_);
  }

 private:
  static SegmentHeader header(const FileFacts& facts, std::uint32_t block_bytes) {
    SegmentHeader header;
    header.page_lsn = facts.lsn;
    header.block_bytes = block_bytes;
    return header;
  }

  const FileFacts& facts_;
  const std::uint32_t block_bytes_;
  SegmentPages pages_;
  RecordWalk records_;
};

Result<void> PgWalFile::measure() {
  Sha256Hasher hasher;
  std::optional<Survey> survey;
  if (options_.name.is_wal()) {
    survey.emplace(facts_, block_bytes_);
  }
  raw_crc32_ = 0;
  TRY(read_all([&](ByteView raw) -> Result<void> {
    hasher.update(raw);
    raw_crc32_ = crc32(raw_crc32_, raw);
    if (survey) {
      survey->write(raw);
    }
    return {};
  }));
  facts_.sha256 = hasher.finish();
  is_finished_ = !survey || survey->is_finished();
  return {};
}

Result<std::uint32_t> PgWalFile::compress(int level, StagedFile& staged) const {
  GzipWriter writer(facts_, options_.name.text(), level);
  Bytes ready;
  std::uint32_t file_crc32 = 0;
  const auto hand_out = [&]() -> Result<void> {
    file_crc32 = crc32(file_crc32, ready);
    TRY(staged.append(ready));
    ready.clear();
    return {};
  };
  TRY(read_all([&](ByteView raw) -> Result<void> {
    writer.write(raw, ready);
    return hand_out();
  }));
  writer.finish(ready);
  TRY(hand_out());
  // Twice the same bytes, and its pages when they were read first: it does not matter that the file
  // has another name by now. What the server recycles late is what must not be lost.
  if (writer.raw_crc32() != raw_crc32_) {
    return changed();
  }
  return file_crc32;
}

Result<std::uint32_t> PgWalFile::pack(Completeness completeness, int level, StagedFile& staged) {
  Sha256Hasher hasher;
  std::optional<Survey> survey;
  if (completeness == Completeness::kAsked && options_.name.is_wal()) {
    survey.emplace(facts_, block_bytes_);
  }
  const Bytes provisional = make_gzip_header(facts_, options_.name.text());
  GzipWriter writer(level);
  Bytes ready = provisional;
  const auto hand_out = [&]() -> Result<void> {
    TRY(staged.append(ready));
    ready.clear();
    return {};
  };
  TRY(read_all([&](ByteView raw) -> Result<void> {
    hasher.update(raw);
    if (survey) {
      survey->write(raw);
    }
    writer.write(raw, ready);
    return ready.size() >= kWriteBytes ? hand_out() : Result<void>();
  }));
  writer.finish(ready);
  TRY(hand_out());
  TRY_ASSIGN(const FileStat now, file_->stat());
  if (now != stat_) {
    return changed();
  }
  facts_.sha256 = hasher.finish();
  is_finished_ = !survey || survey->is_finished();
  TRY(staged.replace_start(provisional, make_gzip_header(facts_, options_.name.text())));
  return staged.file_crc32();
}

Result<void> PgWalFile::read_all(const std::function<Result<void>(ByteView raw)>& sink) const {
  Bytes buffer(std::min<std::uint64_t>(kReadBytes, stat_.size));
  for (std::uint64_t offset = 0; offset < stat_.size;) {
    const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), stat_.size - offset);
    TRY_ASSIGN(const std::size_t got, file_->read_at(offset, std::span(buffer).first(wanted)));
    if (got != wanted) {
      return changed();
    }
    offset += got;
    TRY(sink(ByteView(buffer).first(got)));
  }
  return {};
}

Error PgWalFile::changed() const {
  return Error{Errc::kRetry, "'" + options_.path + "' changed while it was read", ""};
}

Result<PutOutcome> archive_pg_wal_file(ArchiveStore& store, const PgWalFile& file, int level) {
  TRY_ASSIGN(const std::unique_ptr<StagedFile> staged, store.stage(file.name()));
  TRY_ASSIGN(const std::uint32_t file_crc32, file.compress(level, *staged));
  return store.commit(*staged, {.file_bytes = staged->size(), .file_crc32 = file_crc32});
}

}  // namespace pgwalship
