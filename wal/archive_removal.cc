// How files leave an archive: below the recorded floor, on this node alone, and never otherwise
// (docs/durability.md, "Retention").
#include "wal/archive_lock.h"
#include "wal/archive_store.h"

#include <algorithm>
#include <array>
#include <tuple>

namespace pgwalship {
namespace {

constexpr std::size_t kPositionDigits = 16;

// A person can compare it with the names beside it.
std::string position_line(SegmentPosition position) {
  return position_text(position) + "\n";
}

std::optional<SegmentPosition> parse_position_line(std::string_view text) {
  if (text.size() != kPositionDigits + 1 || text.back() != '\n') {
    return std::nullopt;
  }
  const Result<WalName> name = WalName::parse("00000001" + std::string(text.substr(0, 16)));
  return name.ok() ? std::optional(name.value().position()) : std::nullopt;
}

}  // namespace

Result<SegmentPosition> ArchiveStore::floor() const {
  return read_position(layout_.floor_file());
}

// A lower one would bring back, by reconciling, what has expired. Reading and writing are one step
// to others: between the two another process may record a higher one.
Result<void> ArchiveStore::raise_floor(SegmentPosition floor) {
  const std::string lock_path = layout_.floor_lock_file();
  const Result<std::unique_ptr<File>> lock = take_lock(file_system_, lock_path);
  if (!lock.ok()) {
    return lock.error().within("raise the floor of the archive");
  }
  const RemoveAtExit unlock(file_system_, lock_path);
  TRY_ASSIGN(const SegmentPosition recorded, this->floor());
  return floor > recorded ? write_position(layout_.floor_file(), floor) : Result<void>();
}

Result<SegmentPosition> ArchiveStore::needs() const {
  return read_position(layout_.needs_file());
}

Result<void> ArchiveStore::record_needs(SegmentPosition needs) {
  return write_position(layout_.needs_file(), needs);
}

Result<std::vector<StoredFile>> ArchiveStore::inventory() const {
  TRY_ASSIGN(std::vector<WalName> names, list());
  std::vector<StoredFile> files;
  files.reserve(names.size());
  for (WalName& name : names) {
    const Result<FileStat> stat = file_system_.stat(layout_.file(name));
    if (stat.ok()) {
      files.push_back({std::move(name), stat.value().size, stat.value().modified});
    } else if (stat.error().code != Errc::kNotFound) {
      return stat.error();
    }
  }
  return files;
}

// The floor is durable before the first name goes: a reconcile after a crash in the middle does not
// bring the others back, and the next run goes on.
Result<ArchiveStore::Removed> ArchiveStore::remove_expired(std::span<const WalName> names) {
  TRY_ASSIGN(const SegmentPosition floor, this->floor());
  for (const WalName& name : names) {
    if (!name.is_below(floor)) {
      return Error{Errc::kInvalid, "remove '" + name.text() + "': it is not below the floor", ""};
    }
  }
  Removed removed;
  Result<void> failure;
  for (const WalName& name : names) {
    const std::string lock_path = layout_.lock_file(name);
    const Result<std::unique_ptr<File>> lock = take_lock(file_system_, lock_path);
    if (!lock.ok() && lock.error().code == Errc::kRetry) {
      ++removed.busy;  // a copy is being replaced right now
      continue;
    }
    if (!lock.ok()) {
      failure = lock.error();
      break;
    }
    const RemoveAtExit unlock(file_system_, lock_path);
    const Result<void> gone = file_system_.remove(layout_.file(name));
    if (gone.ok()) {
      ++removed.files;
    } else if (gone.error().code != Errc::kNotFound) {
      failure = gone.error();
      break;
    }
  }
  // One for all of them: a name that a crash brings back before it is below the floor still.
  TRY(file_system_.sync_directory(layout_.directory()));
  TRY(failure);
  return removed;
}

Result<SegmentPosition> ArchiveStore::read_position(const std::string& path) const {
  const Result<std::unique_ptr<File>> file = file_system_.open(path);
  if (!file.ok()) {
    return file.error().code == Errc::kNotFound ? Result<SegmentPosition>(SegmentPosition{0})
                                                : Result<SegmentPosition>(file.error());
  }
  std::array<std::byte, 2 * kPositionDigits> content{};
  TRY_ASSIGN(const std::size_t size, file.value()->read_at(0, content));
  const auto position = parse_position_line(as_text(ByteView(content).first(size)));
  if (!position) {
    return Error{Errc::kCorrupt, "'" + path + "' does not hold a position in the WAL",
                 "it is the last sixteen digits of a segment's name and a line break; without the "
                 "file nothing counts as expired"};
  }
  return *position;
}

// A whole file takes the name over in one step, durably: there is never half a position.
Result<void> ArchiveStore::write_position(const std::string& path, SegmentPosition position) {
  const std::string tmp_path = layout_.tmp_file(path.substr(path.rfind('/') + 1), next_unique());
  TRY_ASSIGN(const std::unique_ptr<File> file, file_system_.create(tmp_path));
  const RemoveAtExit cleanup(file_system_, tmp_path);
  TRY(file->write_at(0, as_bytes(position_line(position))));
  TRY(file->sync());
  TRY(file_system_.rename(tmp_path, path));
  return file_system_.sync_directory(layout_.state_directory());
}

}  // namespace pgwalship
