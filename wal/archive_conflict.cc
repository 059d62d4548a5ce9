// What an operator decides about contents that claim one name. docs/durability.md, "Deciding a
// conflict", has the order and what a crash leaves behind.
#include "wal/archive_lock.h"
#include "wal/archive_store.h"
#include "wal/space_hint.h"

#include <algorithm>

namespace pgwalship {
namespace {

using Kind = ArchiveLayout::Quarantined::Kind;

std::string resolved_label(std::string_view digits) {
  return std::string(ArchiveLayout::label_of(Kind::kResolved)) + "-" + std::string(digits);
}

Result<FileFacts> read_quarantined(const File& file, const ArchiveLayout::Quarantined& which) {
  Result<FileFacts> facts =
      read_archive_file(file, which.name, [](ByteView) { return Result<void>(); });
  return facts.ok() ? facts : facts.error().within("'" + which.file + "' in quarantine");
}

}  // namespace

Result<std::vector<ArchiveStore::Quarantined>> ArchiveStore::conflicts() const {
  TRY_ASSIGN(const std::vector<std::string> files, quarantined());
  std::vector<Quarantined> open;
  for (const std::string& file : files) {
    std::optional<Quarantined> one = ArchiveLayout::quarantined_of_file(file);
    if (one && one->kind == Kind::kConflict) {
      open.push_back(std::move(*one));
    }
  }
  return open;
}

Result<ConflictFacts> ArchiveStore::compare(const Quarantined& refused) const {
  const std::string path = layout_.quarantine_directory() + "/" + refused.file;
  TRY_ASSIGN(const std::unique_ptr<File> ours, file_system_.open(layout_.file(refused.name)));
  TRY_ASSIGN(const std::unique_ptr<File> theirs, file_system_.open(path));
  ArchiveFileReader kept_reader(*ours, refused.name);
  ArchiveFileReader refused_reader(*theirs, refused.name);
  const auto named = [](const Result<ByteView>& piece, const std::string& file) {
    return piece.ok() ? piece : piece.error().within("'" + file + "'");
  };
  TRY_ASSIGN(
      const Difference difference,
      compare_contents(
          refused.name, [&] { return named(kept_reader.next(), layout_.file(refused.name)); },
          [&] { return named(refused_reader.next(), path); }));
  TRY_ASSIGN(const FileStat kept_stat, ours->stat());
  TRY_ASSIGN(const FileStat refused_stat, theirs->stat());
  return ConflictFacts{kept_reader.facts(), kept_stat.size, refused_reader.facts(),
                       refused_stat.size, difference};
}

Result<void> ArchiveStore::keep_archived(const WalName& name) {
  const std::string lock_path = layout_.lock_file(name);
  TRY_ASSIGN(const std::unique_ptr<File> lock, take_lock(file_system_, lock_path));
  const RemoveAtExit unlock(file_system_, lock_path);
  TRY_ASSIGN(const FileFacts kept, verify(name));
  return settle_conflicts(name, kept);
}

Result<void> ArchiveStore::keep_refused(const Quarantined& chosen) {
  const std::string lock_path = layout_.lock_file(chosen.name);
  TRY_ASSIGN(const std::unique_ptr<File> lock, take_lock(file_system_, lock_path));
  const RemoveAtExit unlock(file_system_, lock_path);
  if (const Result<void> taken = take_over(chosen); !taken.ok()) {
    return with_hint(taken.error()).within("keep '" + chosen.file + "'");
  }
  TRY_ASSIGN(const FileFacts kept, verify(chosen.name));
  return settle_conflicts(chosen.name, kept);
}

// Under the name's lock: nobody takes the name away meanwhile, and a put can only add one.
Result<void> ArchiveStore::take_over(const Quarantined& chosen) {
  const WalName& name = chosen.name;
  const std::string from = layout_.quarantine_directory() + "/" + chosen.file;
  TRY_ASSIGN(const std::unique_ptr<File> file, file_system_.open(from));
  TRY_ASSIGN(const FileFacts facts, read_quarantined(*file, chosen));
  if (name.is_wal()) {
    TRY_ASSIGN(const std::uint64_t pinned, system_id());
    if (facts.system_id == 0 || facts.system_id != pinned) {
      return Error{Errc::kInvalid, "it is of another cluster, or does not fit its name", ""};
    }
  }
  TRY(file->sync());
  const Result<std::unique_ptr<File>> present = file_system_.open(layout_.file(name));
  if (!present.ok() && present.error().code == Errc::kNotFound) {
    TRY(file_system_.link(from, layout_.file(name)));
    return file_system_.sync_directory(layout_.directory());
  }
  if (!present.ok()) {
    return present.error();
  }
  TRY_ASSIGN(const FileFacts ours, verify(name));
  if (ours.sha256 != facts.sha256) {  // else a crash came between the next two steps and the rest
    TRY(put_aside(name, *present.value(), ours));
    const std::string tmp_path = layout_.tmp_file(name.text(), next_unique());
    TRY(file_system_.link(from, tmp_path));
    const RemoveAtExit cleanup(file_system_, tmp_path);
    TRY(file_system_.rename(tmp_path, layout_.file(name)));
  }
  return file_system_.sync_directory(layout_.directory());
}

// The archive's copy gets a durable second name.
Result<void> ArchiveStore::put_aside(const WalName& name, File& file, const FileFacts& facts) {
  const std::string digits = facts.sha256.hex().substr(0, ArchiveLayout::kHashDigits);
  const std::string target = layout_.quarantine_file(name, resolved_label(digits));
  TRY(file.sync());
  Result<void> linked = file_system_.link(layout_.file(name), target);
  if (!linked.ok() && linked.error().code != Errc::kAlreadyExists) {
    return linked;
  }
  if (!linked.ok()) {
    TRY_ASSIGN(const std::unique_ptr<File> there, file_system_.open(target));
    TRY_ASSIGN(const FileFacts same,
               read_archive_file(*there, name, [](ByteView) { return Result<void>(); }));
    if (same.sha256 != facts.sha256) {
      return Error{Errc::kAlreadyExists, "'" + target + "' holds other content", "move it away"};
    }
  }
  return file_system_.sync_directory(layout_.quarantine_directory());
}

// What is the archive's content needs no second copy; every other one is resolved from now on.
Result<void> ArchiveStore::settle_conflicts(const WalName& name, const FileFacts& kept) {
  const std::string digits = kept.sha256.hex().substr(0, ArchiveLayout::kHashDigits);
  TRY_ASSIGN(const std::vector<std::string> files, quarantined());
  const std::string directory = layout_.quarantine_directory() + "/";
  std::vector<std::string> settled;
  for (const std::string& each : files) {
    const std::optional<Quarantined> file = ArchiveLayout::quarantined_of_file(each);
    if (!file || !(file->name == name) || file->kind == Kind::kCorrupt) {
      continue;
    }
    if (file->digits == digits) {
      settled.push_back(each);
    } else if (file->kind == Kind::kConflict) {
      const std::string target = layout_.quarantine_file(name, resolved_label(file->digits));
      Result<void> linked = file_system_.link(directory + each, target);
      if (!linked.ok() && linked.error().code != Errc::kAlreadyExists) {
        return linked;
      }
      settled.push_back(each);
    }
  }
  TRY(file_system_.sync_directory(layout_.quarantine_directory()));
  for (const std::string& each : settled) {
    TRY(file_system_.remove(directory + each));
  }
  return file_system_.sync_directory(layout_.quarantine_directory());
}

}  // namespace pgwalship
