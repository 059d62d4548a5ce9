#include "wal/archive_store.h"

#include "wal/archive_lock.h"
#include "wal/segment_header.h"
#include "wal/space_hint.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <tuple>
#include <utility>

namespace pgwalship {
namespace {

// Each round needs another process to take a name and give it up again within it.
constexpr int kAttemptsMax = 8;

}  // namespace

ArchiveStore::ArchiveStore(FileSystem& file_system, Options options)
    : file_system_(file_system), layout_(options.directory), options_(std::move(options)) {}

Result<void> ArchiveStore::prepare() {
  for (const std::string& directory :
       {layout_.directory(), layout_.tmp_directory(), layout_.quarantine_directory()}) {
    if (const auto made = file_system_.make_directories(directory); !made.ok()) {
      return with_hint(made.error());
    }
  }
  TRY_ASSIGN(const std::vector<std::string> left, file_system_.list(layout_.tmp_directory()));
  for (const std::string& file : left) {
    const auto removed = file_system_.remove_abandoned(layout_.tmp_directory() + "/" + file);
    if (!removed.ok() && removed.error().code != Errc::kRetry &&
        removed.error().code != Errc::kNotFound) {
      return removed.error();
    }
  }
  TRY_ASSIGN(const FileStat stat, file_system_.stat(layout_.directory()));
  device_ = stat.device;
  inode_ = stat.inode;
  return {};
}

Result<void> ArchiveStore::check_directory() const {
  TRY_ASSIGN(const FileStat stat, file_system_.stat(layout_.directory()));
  if (inode_ != 0 && (stat.inode != inode_ || stat.device != device_)) {
    return Error{Errc::kIo,
                 "the archive '" + layout_.directory() +
                     "' is another directory than when this process started",
                 "mount its file system again; if it was replaced on purpose, restart pgwalshipd"};
  }
  return {};
}

Result<void> ArchiveStore::check_reserve() const {
  if (options_.minimum_free_bytes == 0) {
    return {};
  }
  TRY_ASSIGN(const std::uint64_t free, free_bytes());
  if (free < options_.minimum_free_bytes) {
    return Error{Errc::kNoSpace,
                 "only " + std::to_string(free) + " of " +
                     std::to_string(options_.minimum_free_bytes) +
                     " bytes (minimum-free) are free in '" + layout_.directory() + "'",
                 std::string(kSpaceHint)};
  }
  return {};
}

// (1) of the durable order.
Result<std::unique_ptr<StagedFile>> ArchiveStore::stage(const WalName& name, Reserve reserve) {
  if (const Result<void> same = check_directory(); !same.ok()) {
    return with_hint(same.error()).within("store '" + name.text() + "'");
  }
  if (reserve == Reserve::kKeep) {
    if (const Result<void> room = check_reserve(); !room.ok()) {
      return room.error().within("store '" + name.text() + "'");
    }
  }
  for (int attempt = 1;; ++attempt) {
    const std::string path = layout_.tmp_file(name.text(), next_unique());
    Result<std::unique_ptr<File>> file = file_system_.create(path);
    if (file.ok()) {
      return std::unique_ptr<StagedFile>(
          new StagedFile(file_system_, name, path, std::move(file).value()));
    }
    if (file.error().code == Errc::kNotFound && attempt == 1 &&
        file_system_.stat(layout_.directory()).ok()) {
      // Somebody took .pgwalship away under a running daemon or receiver. An archive directory that
      // is gone itself is not made again: its file system may just not be mounted.
      TRY(prepare());
      continue;
    }
    if (file.error().code != Errc::kAlreadyExists || attempt == kAttemptsMax) {
      return with_hint(file.error()).within("store '" + name.text() + "'");
    }
  }
}

Result<PutOutcome> ArchiveStore::commit(StagedFile& staged, const Expected& expected) {
  CHECK(!staged.discarded_);
  Result<PutOutcome> outcome = put(staged, expected);
  staged.discard();
  if (!outcome.ok()) {
    return with_hint(outcome.error()).within("store '" + staged.name().text() + "'");
  }
  return outcome;
}

// A failure at any step leaves at most a temporary name behind, and nothing under the final one,
// with one exception: when (6) fails the name stays. It may be durable, and another process may
// have acknowledged it; the content is whole, and the next push of it repeats (6).
Result<PutOutcome> ArchiveStore::put(StagedFile& staged, const Expected& expected) {
  // (3) verify. The identifier is pinned before the first name is visible: two clusters cannot
  // both be first.
  TRY_ASSIGN(const FileFacts facts, check_staged(staged, expected));
  if (facts.system_id != 0) {
    TRY(pin_system_id(staged.name(), facts.system_id));
  }
  // (4) the content must be durable before any name leads to it (H2), quarantine included. After
  // a failure the state of the file is unknown: it is discarded and never synced again.
  TRY(staged.file_->sync());
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    // (5) link(2) refuses a name that is taken, in one step: no other writer can slip between a
    // look and a rename (H7).
    const Result<void> linked = file_system_.link(staged.path_, layout_.file(staged.name()));
    if (linked.ok()) {
      // (6) the name is durable. (7) is the caller's.
      TRY(file_system_.sync_directory(layout_.directory()));
      return PutOutcome::kStored;
    }
    if (linked.error().code != Errc::kAlreadyExists) {
      return linked.error();
    }
    TRY_ASSIGN(const std::optional<PutOutcome> settled, settle_taken_name(staged, facts));
    if (settled) {
      return *settled;
    }
  }
  return Error{Errc::kRetry, "the name is taken, and then there is no file of that name",
               "is it a symbolic link to nothing? Then remove it"};
}

Result<FileFacts> ArchiveStore::check_staged(StagedFile& staged, const Expected& expected) const {
  if (staged.size_ != expected.file_bytes) {
    return Error{Errc::kCorrupt,
                 "received " + std::to_string(staged.size_) + " bytes, " +
                     std::to_string(expected.file_bytes) + " were announced",
                 ""};
  }
  if (staged.crc32_ != expected.file_crc32) {
    return Error{Errc::kCorrupt, "the received bytes do not have the announced checksum", ""};
  }
  const WalName& name = staged.name();
  TRY_ASSIGN(const std::optional<FileFacts> claimed, read_facts(*staged.file_, name));
  if (staged.check_) {
    TRY(staged.finish_content());
  }
  if (claimed) {
    TRY(check_trailer(*staged.file_, staged.size_, *claimed));
    if (!staged.check_ && expected.content == Content::kVerify) {
      TRY(read_archive_file(*staged.file_, name, [](ByteView) { return Result<void>(); }));
    }
    return *claimed;
  }
  // A legacy file vouches for nothing itself: its content does.
  Bytes start;
  TRY_ASSIGN(
      const FileFacts found, read_archive_file(*staged.file_, name, [&](ByteView raw) {
        const std::size_t missing = std::min(kLongPageHeaderBytes - start.size(), raw.size());
        start.insert(start.end(), raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(missing));
        return Result<void>();
      }));
  if (name.is_wal()) {
    TRY_ASSIGN(const SegmentHeader header, parse_segment_header(start));
    TRY(check_segment(name, header, found.raw_bytes));
  }
  return found;
}

Result<std::optional<PutOutcome>> ArchiveStore::settle_taken_name(StagedFile& staged,
                                                                  const FileFacts& facts) {
  // The usual case, a push that is repeated, without unpacking: a copy that is byte for byte what
  // would be stored now can be no better or worse.
  if (const auto copy = file_system_.open(layout_.file(staged.name())); copy.ok()) {
    const Result<bool> same = same_bytes(*staged.file_, *copy.value());
    if (same.ok() && same.value()) {
      return persist_stored(staged.name());
    }
  }
  const Result<FileFacts> present = verify(staged.name());
  if (present.ok() && present.value().sha256 == facts.sha256) {
    return persist_stored(staged.name());
  }
  if (present.ok()) {
    return settle_difference(staged, present.value(), facts);
  }
  if (present.error().code == Errc::kCorrupt) {
    const Result<void> moved = quarantine_corrupt(staged.name());
    if (!moved.ok() && moved.error().code != Errc::kNotFound &&
        moved.error().code != Errc::kAlreadyExists) {
      return moved.error();
    }
    return std::optional<PutOutcome>();
  }
  if (present.error().code == Errc::kNotFound) {
    return std::optional<PutOutcome>();
  }
  return present.error();
}

// The content of a copy that is already there may be in the page cache only (the old script never
// synced, and a writer may have died after (5)): no acknowledgement before it is on disk (H4).
Result<std::optional<PutOutcome>> ArchiveStore::persist_stored(const WalName& name) {
  const Result<std::unique_ptr<File>> file = file_system_.open(layout_.file(name));
  if (!file.ok()) {
    return file.error().code == Errc::kNotFound ? Result(std::optional<PutOutcome>())
                                                : file.error();
  }
  if (!file.value()->sync().ok()) {
    return renew(name, *file.value());
  }
  TRY(file_system_.sync_directory(layout_.directory()));
  return std::optional(PutOutcome::kIdentical);
}

// After a failed fsync the next one would succeed and save nothing, so the content is written anew.
// The copy takes the name over in one step, and a rename is right here: the content is the same,
// and the old copy may well be durable and acknowledged, so there must be no moment without (G1).
Result<std::optional<PutOutcome>> ArchiveStore::renew(const WalName& name, const File& unsynced) {
  const std::string lock_path = layout_.lock_file(name);
  TRY_ASSIGN(const std::unique_ptr<File> lock, take_lock(file_system_, lock_path));
  const RemoveAtExit unlock(file_system_, lock_path);
  TRY_ASSIGN(const FileStat ours, unsynced.stat());
  const Result<FileStat> present = file_system_.stat(layout_.file(name));
  if (!present.ok() || present.value().inode != ours.inode) {
    return std::optional<PutOutcome>();  // another process was first
  }
  const std::string tmp_path = layout_.tmp_file(name.text(), next_unique());
  TRY_ASSIGN(const std::unique_ptr<File> copy, file_system_.create(tmp_path));
  const RemoveAtExit cleanup(file_system_, tmp_path);
  TRY(copy_content(unsynced, *copy));
  TRY(read_archive_file(*copy, name, [](ByteView) { return Result<void>(); }));
  TRY(copy->sync());
  TRY(file_system_.rename(tmp_path, layout_.file(name)));
  TRY(file_system_.sync_directory(layout_.directory()));
  return std::optional(PutOutcome::kIdentical);
}

Result<ArchiveFile> ArchiveStore::open(const WalName& name) const {
  TRY_ASSIGN(std::unique_ptr<File> file, open_file(name));
  TRY_ASSIGN(const FileStat stat, file->stat());
  Result<std::optional<FileFacts>> facts = read_facts(*file, name);
  if (!facts.ok()) {
    return facts.error().within("'" + layout_.file(name) + "'");
  }
  return ArchiveFile{std::move(file), stat.size, std::move(facts).value()};
}

Result<FileFacts> ArchiveStore::verify(const WalName& name) const {
  return read_raw(name, [](ByteView) { return Result<void>(); });
}

// The checksum comes first: bytes that go bad between the two are met by the verification.
Result<VerifiedFile> ArchiveStore::open_verified(const WalName& name) const {
  TRY_ASSIGN(std::unique_ptr<File> file, open_file(name));
  TRY_ASSIGN(const FileChecksum checksum, checksum_of(*file));
  Result<FileFacts> facts = read_archive_file(*file, name, [](ByteView) { return Result<void>(); });
  if (!facts.ok()) {
    return facts.error().within("'" + layout_.file(name) + "'");
  }
  return VerifiedFile{std::move(file), checksum.bytes, checksum.crc32, std::move(facts).value()};
}

Result<void> ArchiveStore::confirm(const WalName& name, const Sha256& content) {
  TRY_ASSIGN(const FileFacts present, verify(name));
  if (present.sha256 != content) {
    return Error{Errc::kConflict,
                 "'" + layout_.file(name) + "' has SHA-256 " + present.sha256.hex() + ", not " +
                     content.hex(),
                 ""};
  }
  TRY_ASSIGN(const std::optional<PutOutcome> persisted, persist_stored(name));
  if (!persisted) {
    return Error{Errc::kRetry, "'" + layout_.file(name) + "' is being replaced", ""};
  }
  return {};
}

Result<FileFacts> ArchiveStore::read_raw(const WalName& name, const RawSink& sink) const {
  TRY_ASSIGN(const std::unique_ptr<File> file, open_file(name));
  Result<FileFacts> facts = read_archive_file(*file, name, sink);
  if (!facts.ok()) {
    return facts.error().within("'" + layout_.file(name) + "'");
  }
  return facts;
}

Result<std::vector<WalName>> ArchiveStore::list() const {
  TRY_ASSIGN(const std::vector<std::string> files, file_system_.list(layout_.directory()));
  std::vector<WalName> names;
  names.reserve(files.size());
  for (const std::string& file : files) {
    if (std::optional<WalName> name = ArchiveLayout::name_of_file(file)) {
      names.push_back(std::move(*name));
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::uint64_t> ArchiveStore::system_id() const {
  const Result<std::unique_ptr<File>> file = file_system_.open(layout_.system_identifier_file());
  if (!file.ok()) {
    return file.error().code == Errc::kNotFound ? Result<std::uint64_t>(0)
                                                : Result<std::uint64_t>(file.error());
  }
  std::array<std::byte, 32> content;
  TRY_ASSIGN(const std::size_t size, file.value()->read_at(0, content));
  const std::string_view text = as_text(ByteView(content).first(size));
  std::uint64_t system_id = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), system_id);
  if (failure != std::errc() || end != text.data() + text.size() - 1 || *end != '\n' ||
      system_id == 0) {
    return Error{Errc::kCorrupt,
                 "'" + layout_.system_identifier_file() + "' does not hold a system identifier",
                 "write there what `pg_controldata` gives as database system identifier, followed "
                 "by a line break"};
  }
  return system_id;
}

Result<void> ArchiveStore::check_system_id(const WalName& name, std::uint64_t system_id) const {
  std::uint64_t pinned = durable_system_id_;
  if (pinned == 0) {
    TRY_ASSIGN(pinned, this->system_id());
  }
  if (system_id == 0 || pinned == 0 || pinned == system_id) {
    return {};
  }
  return Error{Errc::kInvalid,
               "'" + name.text() + "' is of the cluster with system identifier " +
                   std::to_string(system_id) + ", the archive '" + layout_.directory() + "' of " +
                   std::to_string(pinned),
               "another cluster writes here, or this one was made anew by initdb: give it an "
               "archive directory of its own"};
}

// An archive that was emptied or replaced under this process is pinned again, to what the process
// has known all the time, before another cluster can be the first in it.
Result<void> ArchiveStore::pin_system_id(const WalName& name, std::uint64_t system_id) {
  const std::string path = layout_.system_identifier_file();
  const std::uint64_t known = durable_system_id_;
  if (known == 0 || !file_system_.stat(path).ok()) {
    TRY(pin(known != 0 ? known : system_id));
  }
  return check_system_id(name, system_id);
}

Result<void> ArchiveStore::pin(std::uint64_t system_id) {
  for (int attempt = 1;; ++attempt) {
    TRY_ASSIGN(const std::uint64_t pinned, this->system_id());
    if (pinned != 0) {
      // Whoever linked it may have died before it was durable.
      TRY(file_system_.sync_directory(layout_.state_directory()));
      durable_system_id_ = pinned;
      return {};
    }
    const Result<void> put =
        put_state_file(layout_.system_identifier_file(), std::to_string(system_id) + "\n");
    if (!put.ok() && (put.error().code != Errc::kAlreadyExists || attempt == kAttemptsMax)) {
      return put.error();
    }
  }
}

bool ArchiveStore::reconciled() const {
  return file_system_.stat(layout_.reconciled_file()).ok();
}

// The archive was found complete by its names, and one whose put failed at (6) may still go with a
// power cut: then "complete" would be evidence for the absence of what another node acknowledged.
Result<void> ArchiveStore::mark_reconciled(SegmentPosition from, std::uint64_t vanished_mark) {
  TRY(file_system_.sync_directory(layout_.directory()));
  Result<void> put = put_state_file(layout_.reconciled_file(), position_text(from) + "\n");
  if (!put.ok() && put.error().code == Errc::kAlreadyExists) {
    put = file_system_.sync_directory(layout_.state_directory());
  }
  if (put.ok() && vanished_mark != 0) {
    put = forget_vanished(from, vanished_mark);
  }
  return put.ok() ? put : with_hint(put.error());
}

Result<SegmentPosition> ArchiveStore::evidence_from() const {
  TRY_ASSIGN(const SegmentPosition floor, this->floor());
  TRY_ASSIGN(const SegmentPosition from, read_position(layout_.reconciled_file()));
  return std::max(floor, from);
}

// The same order as for archive files. kAlreadyExists when another was first.
Result<void> ArchiveStore::put_state_file(const std::string& path, std::string_view content) {
  const std::string stem = path.substr(path.rfind('/') + 1);
  const std::string tmp_path = layout_.tmp_file(stem, next_unique());
  TRY_ASSIGN(const std::unique_ptr<File> file, file_system_.create(tmp_path));
  const RemoveAtExit cleanup(file_system_, tmp_path);
  TRY(file->write_at(0, as_bytes(content)));
  TRY(file->sync());
  TRY(file_system_.link(tmp_path, path));
  return file_system_.sync_directory(layout_.state_directory());
}

Result<std::uint64_t> ArchiveStore::free_bytes() const {
  return file_system_.free_bytes(layout_.directory());
}

// SplitMix64 (Steele, Lea, Flood 2014): no lock, and no two alike from one seed.
std::uint64_t ArchiveStore::next_unique() {
  std::uint64_t z = options_.seed + (++unique_count_) * 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

}  // namespace pgwalship
