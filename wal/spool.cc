#include "wal/spool.h"

#include "wal/digest.h"
#include "wal/segment_header.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace pgwalship {
namespace {

constexpr std::size_t kHexDigits = 16;
constexpr const char* kBootFile = "/proc/sys/kernel/random/boot_id";

std::uint64_t ticks(WallTime time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

bool is_fresh(const FileStat& stat, WallTime now) {
  return stat.modified <= now && now - stat.modified <= kSpoolFresh;
}

Result<void> check_first_page(const File& file, const WalName& name, std::uint64_t raw_bytes) {
  std::array<std::byte, kLongPageHeaderBytes> start{};
  TRY_ASSIGN(const std::size_t size, file.read_at(0, start));
  TRY_ASSIGN(const SegmentHeader header, parse_segment_header(ByteView(start).first(size)));
  return check_segment(name, header, raw_bytes);
}

}  // namespace

std::string boot_of_machine(FileSystem& file_system) {
  std::array<std::byte, 64> text{};
  const auto file = file_system.open(kBootFile);
  const auto size = file.ok() ? file.value()->read_at(0, text) : Result<std::size_t>(0);
  return size.ok() ? std::string(as_text(ByteView(text).first(size.value()))) : std::string();
}

SpooledFile::SpooledFile(FileSystem& file_system, WalName name, FileFacts facts, std::string path,
                         std::unique_ptr<File> file)
    : file_system_(file_system),
      name_(std::move(name)),
      facts_(std::move(facts)),
      path_(std::move(path)),
      file_(std::move(file)) {}

SpooledFile::~SpooledFile() {
  if (file_ != nullptr) {
    std::ignore = file_system_.remove(path_);  // ArchiveStore::prepare() removes what stays
  }
}

void SpooledFile::append(ByteView raw) {
  if (written_.ok()) {
    written_ = file_->write_at(size_, raw);
    size_ += raw.size();
  }
}

RawSink spool_sink(SpooledFile* file) {
  return [file](ByteView raw) -> Result<void> {
    if (file != nullptr) {
      file->append(raw);
    }
    return {};
  };
}

Spool::Spool(FileSystem& file_system, Options options)
    : file_system_(file_system), layout_(options.directory), options_(std::move(options)) {}

Result<void> Spool::prepare() {
  TRY(file_system_.make_directories(layout_.ahead_directory()));
  TRY_ASSIGN(const std::vector<std::string> left, file_system_.list(layout_.ahead_directory()));
  for (const std::string& file : left) {
    const auto removed = remove(layout_.ahead_directory() + "/" + file);
    if (!removed.ok() && removed.error().code != Errc::kNotFound) {
      return removed.error();
    }
  }
  return {};
}

Result<std::unique_ptr<SpooledFile>> Spool::create(const WalName& name, const FileFacts& facts) {
  if (options_.boot.empty()) {
    return Error{Errc::kNotFound, "there is no spool", ""};
  }
  TRY_ASSIGN(const std::uint64_t free, file_system_.free_bytes(layout_.directory()));
  if (free < facts.raw_bytes || free - facts.raw_bytes < options_.minimum_free_bytes) {
    return Error{Errc::kNoSpace, "no room to unpack '" + name.text() + "' above minimum-free", ""};
  }
  const std::string path =
      layout_.tmp_file(name.text() + ".raw", options_.seed + unique_count_.fetch_add(1));
  TRY_ASSIGN(std::unique_ptr<File> file, file_system_.create(path));
  return std::unique_ptr<SpooledFile>(
      new SpooledFile(file_system_, name, facts, path, std::move(file)));
}

std::string Spool::publish(SpooledFile& file) {
  const Result<std::string> path = name_and_move(file);
  if (!path.ok()) {
    return {};
  }
  if (options_.write_back) {
    options_.write_back(path.value());
  }
  return path.value();
}

Result<std::string> Spool::name_and_move(SpooledFile& file) {
  TRY(file.written_);
  if (file.size_ != file.facts_.raw_bytes) {
    return Error{Errc::kCorrupt, "'" + file.path_ + "' is not whole", ""};
  }
  TRY_ASSIGN(const FileStat stat, file.file_->stat());
  const std::string path =
      layout_.ahead_directory() + "/" + name_of(file.name_, file.facts_.sha256, stat);
  // Its name is in the spool alone: a client moves the file away, and PostgreSQL writes to it
  // later.
  TRY(file_system_.rename(file.path_, path));
  file.file_.reset();
  return path;
}

std::optional<Spool::Found> Spool::find(const WalName& name, const FileFacts& facts,
                                        WallTime now) const {
  if (options_.boot.empty() || name.kind() != WalKind::kSegment) {
    return std::nullopt;
  }
  const auto files = file_system_.list(layout_.ahead_directory());
  if (!files.ok()) {
    return std::nullopt;
  }
  for (const std::string& entry : files.value()) {
    if (!entry.starts_with(name.text() + ".")) {
      continue;
    }
    Found found{layout_.ahead_directory() + "/" + entry, nullptr};
    auto file = file_system_.open(found.path);
    const auto stat = file.ok() ? file.value()->stat() : Result<FileStat>(file.error());
    if (!stat.ok() || entry != name_of(name, facts.sha256, stat.value()) ||
        stat.value().size != facts.raw_bytes || !is_fresh(stat.value(), now) ||
        !check_first_page(*file.value(), name, facts.raw_bytes).ok()) {
      continue;
    }
    found.file = std::move(file).value();
    return found;
  }
  return std::nullopt;
}

std::string Spool::name_of(const WalName& name, const Sha256& content, const FileStat& stat) const {
  ByteWriter mark;
  mark.u64(stat.inode);
  mark.u64(stat.size);
  mark.u64(ticks(stat.modified));
  mark.text(options_.boot);
  return name.text() + "." + content.hex().substr(0, kHexDigits) + "." +
         sha256(mark.view()).hex().substr(0, kHexDigits);
}

}  // namespace pgwalship
