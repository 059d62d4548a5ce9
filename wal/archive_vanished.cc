// Files that leave an archive by other hands than ours: an operator's, a script's. They were here,
// so that this archive lacks them is no evidence that they never were (G5), until it was completed
// again from those that may hold them (docs/durability.md, "Files that other hands take away").
#include "wal/archive_lock.h"
#include "wal/archive_scan.h"
#include "wal/archive_store.h"

#include <algorithm>
#include <limits>

namespace pgwalship {
namespace {

constexpr SegmentPosition kEverything = std::numeric_limits<SegmentPosition>::max();

// There, empty, when a history file was among what vanished.
std::string histories_file(const ArchiveLayout& layout) {
  return layout.vanished_file() + "-histories";
}

}  // namespace

// The mark before the position: of two that noted at once, the older mark is then refused.
Result<ArchiveStore::Vanished> ArchiveStore::vanished() const {
  const Result<FileStat> stat = file_system_.stat(layout_.vanished_file());
  if (!stat.ok()) {
    return stat.error().code == Errc::kNotFound ? Result<Vanished>(Vanished{})
                                                : Result<Vanished>(stat.error());
  }
  // Whatever it held: nothing here proves anything then, and making the archive whole again mends
  // it.
  const Result<SegmentPosition> up_to = read_position(layout_.vanished_file());
  return Vanished{up_to.ok() ? up_to.value() : kEverything, file_stamp(stat.value())};
}

Result<std::vector<WalName>> ArchiveStore::note_vanished(std::vector<WalName> names) {
  TRY_ASSIGN(const SegmentPosition floor, this->floor());
  std::erase_if(names, [&](const WalName& name) {
    return name.is_below(floor) || file_system_.stat(layout_.file(name)).ok();
  });
  if (names.empty()) {
    return names;
  }
  const std::string lock_path = layout_.vanished_lock_file();
  const Result<std::unique_ptr<File>> lock = take_lock(file_system_, lock_path);
  if (!lock.ok()) {
    return lock.error().within("note what vanished from the archive");
  }
  const RemoveAtExit unlock(file_system_, lock_path);
  TRY_ASSIGN(const Vanished before, vanished());
  SegmentPosition up_to = before.up_to;
  bool histories = up_to == kEverything;
  for (const WalName& name : names) {
    const bool is_history = name.kind() == WalKind::kHistory;
    histories = histories || is_history;
    up_to = is_history ? up_to : std::max(up_to, name.position());
  }
  if (histories) {
    const Result<void> kept = put_state_file(histories_file(layout_), "");
    if (!kept.ok() && kept.error().code != Errc::kAlreadyExists) {
      return kept.error();
    }
  }
  // Also when it is no higher: whoever compares this archive must do so anew.
  TRY(write_position(layout_.vanished_file(), up_to));
  // A bad copy without a successor is in quarantine, and was told. Its trace there may go, this
  // not.
  std::erase_if(names, [&](const WalName& name) {
    const Result<ArchiveFile> present = open(name);
    return present.ok() || present.error().code != Errc::kNotFound;
  });
  return names;
}

Result<ArchiveStore::Absence> ArchiveStore::absence(const WalName& name) const {
  TRY_ASSIGN(const SegmentPosition from, evidence_from());
  if (name.is_below(from)) {
    return Absence::kExpired;
  }
  TRY_ASSIGN(const Vanished vanished, this->vanished());
  const bool may_have_been_here =
      name.kind() != WalKind::kHistory
          ? name.position() <= vanished.up_to
          : vanished.up_to == kEverything || file_system_.stat(histories_file(layout_)).ok();
  return vanished.mark != 0 && may_have_been_here ? Absence::kVanished : Absence::kNeverHere;
}

// What is below `from` nobody vouches for, so it goes where that is kept for good.
Result<void> ArchiveStore::forget_vanished(SegmentPosition from, std::uint64_t mark) {
  const std::string lock_path = layout_.vanished_lock_file();
  const Result<std::unique_ptr<File>> lock = take_lock(file_system_, lock_path);
  if (!lock.ok()) {
    return lock.error().within("call the archive whole again");
  }
  const RemoveAtExit unlock(file_system_, lock_path);
  TRY_ASSIGN(const Vanished vanished, this->vanished());
  if (vanished.mark != mark) {
    return {};  // somebody was faster, or more has vanished since
  }
  TRY_ASSIGN(const SegmentPosition recorded, read_position(layout_.reconciled_file()));
  if (from > recorded) {
    TRY(write_position(layout_.reconciled_file(), from));
  }
  Result<void> removed = file_system_.remove(histories_file(layout_));
  if (!removed.ok() && removed.error().code != Errc::kNotFound) {
    return removed;
  }
  TRY(file_system_.remove(layout_.vanished_file()));
  return file_system_.sync_directory(layout_.state_directory());
}

}  // namespace pgwalship
