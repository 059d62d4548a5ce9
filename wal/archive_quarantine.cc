// The archive store's quarantine: refused contents, and copies that were taken out of the archive.
#include "wal/archive_lock.h"
#include "wal/archive_store.h"
#include "wal/space_hint.h"

#include <algorithm>
#include <array>

namespace pgwalship {
namespace {

// Each round needs another process to take the same random name.
constexpr int kAttemptsMax = 8;
constexpr std::size_t kConflictHashDigits = 12;

std::string description(const FileFacts& facts) {
  return "SHA-256 " + facts.sha256.hex() +
         (facts.origin.empty() ? std::string() : " from " + facts.origin);
}

std::string corrupt_label(std::uint64_t unique) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string label = "corrupt-";
  for (int shift = 60; shift >= 0; shift -= 4) {
    label += kDigits[unique >> shift & 15];
  }
  return label;
}

}  // namespace

Error ArchiveStore::refuse(const StagedFile& staged, const FileFacts& ours,
                           const FileFacts& theirs) {
  const std::string label = "conflict-" + theirs.sha256.hex().substr(0, kConflictHashDigits);
  const std::string target = layout_.quarantine_file(staged.name(), label);
  Result<void> kept = file_system_.link(staged.path_, target);
  if (!kept.ok() && kept.error().code == Errc::kAlreadyExists) {
    kept = {};  // the same content was refused before
  }
  if (kept.ok()) {
    kept = file_system_.sync_directory(layout_.quarantine_directory());
  }
  return Error{
      Errc::kConflict,
      "the name is taken by other content: the archive has " + description(ours) +
          ", refused was " + description(theirs) + ", " +
          (kept.ok() ? "kept as '" + target + "'"
                     : "and could not be kept in quarantine (" + kept.error().message + ")"),
      "`pgwalship status` shows conflicts; usual causes are two primaries at a time, or "
      "restart_on_promote=true of the pgsql resource agent, which uses a timeline twice"};
}

Result<void> ArchiveStore::quarantine_corrupt(const WalName& name) {
  // Whoever takes a name away holds its lock. Without it a good copy that replaced the corrupt one
  // between our look and our remove would be taken instead.
  const std::string lock_path = layout_.lock_file(name);
  const Result<std::unique_ptr<File>> lock = take_lock(file_system_, lock_path);
  if (!lock.ok()) {
    return with_hint(lock.error()).within("replace the corrupt copy of '" + name.text() + "'");
  }
  const RemoveAtExit unlock(file_system_, lock_path);
  const Result<FileFacts> present = verify(name);
  if (present.ok()) {
    return Error{Errc::kAlreadyExists, "the copy of '" + name.text() + "' is good", ""};
  }
  if (present.error().code != Errc::kCorrupt) {
    return present.error();
  }
  if (const Result<void> moved = move_to_quarantine(name); !moved.ok()) {
    return with_hint(moved.error()).within("quarantine '" + name.text() + "'");
  }
  return {};
}

// In this order a crash leaves both names, or the new one; never none.
Result<void> ArchiveStore::move_to_quarantine(const WalName& name) {
  for (int attempt = 1;; ++attempt) {
    const std::string target = layout_.quarantine_file(name, corrupt_label(next_unique()));
    const Result<void> linked = file_system_.link(layout_.file(name), target);
    if (linked.ok()) {
      break;
    }
    if (linked.error().code != Errc::kAlreadyExists || attempt == kAttemptsMax) {
      return linked.error();
    }
  }
  TRY(file_system_.sync_directory(layout_.quarantine_directory()));
  TRY(file_system_.remove(layout_.file(name)));
  return file_system_.sync_directory(layout_.directory());
}

Result<std::unique_ptr<File>> ArchiveStore::open_file(const WalName& name) const {
  Result<std::unique_ptr<File>> file = file_system_.open(layout_.file(name));
  if (file.ok() || file.error().code != Errc::kNotFound) {
    return file;
  }
  const Result<std::vector<std::string>> kept = quarantined();
  const std::string prefix = name.text() + ".corrupt-";
  if (kept.ok() && std::any_of(kept.value().begin(), kept.value().end(),
                               [&](const auto& each) { return each.starts_with(prefix); })) {
    return Error{Errc::kCorrupt,
                 "'" + layout_.file(name) + "': the copy was bad and is in quarantine",
                 "`pgwalship verify --repair` brings a good one from a peer that has it"};
  }
  return file;
}

Result<std::vector<std::string>> ArchiveStore::quarantined() const {
  TRY_ASSIGN(std::vector<std::string> files, file_system_.list(layout_.quarantine_directory()));
  std::sort(files.begin(), files.end());
  return files;
}

bool ArchiveStore::keeps_conflict(const WalName& name, const Sha256& content) const {
  const std::string hash = content.hex().substr(0, kConflictHashDigits);
  // Whatever was found out or decided about it since.
  return std::ranges::any_of(
      std::array{"conflict-", "resolved-", "same-records-"}, [&](const char* kind) {
        return file_system_.stat(layout_.quarantine_file(name, kind + hash)).ok();
      });
}

}  // namespace pgwalship
