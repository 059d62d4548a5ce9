// The archive store's quarantine: refused contents, and copies that were taken out of the archive.
#include "wal/archive_lock.h"
#include "wal/archive_store.h"
#include "wal/space_hint.h"

#include <algorithm>

namespace pgwalship {
namespace {

// Each round needs another process to take the same random name.
constexpr int kAttemptsMax = 8;

std::string description(const FileFacts& facts) {
  return "SHA-256 " + facts.sha256.hex() +
         (facts.origin.empty() ? std::string() : " from " + facts.origin);
}

std::string label(ArchiveLayout::Quarantined::Kind kind, const Sha256& content) {
  return std::string(ArchiveLayout::label_of(kind)) + "-" +
         content.hex().substr(0, ArchiveLayout::kHashDigits);
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

// What the difference is costs reading both. It is asked once for each content: when it was refused
// or decided about before, the answer is known to be no.
Result<std::optional<PutOutcome>> ArchiveStore::settle_difference(StagedFile& staged,
                                                                  const FileFacts& ours,
                                                                  const FileFacts& theirs) {
  const auto seen = [&](Quarantined::Kind kind) {
    return file_system_.stat(layout_.quarantine_file(staged.name(), label(kind, theirs.sha256)))
        .ok();
  };
  if (seen(Quarantined::Kind::kConflict) || seen(Quarantined::Kind::kResolved)) {
    // An alarm must not be raised over bytes that were damaged before they came here.
    TRY(read_archive_file(*staged.file_, staged.name(), [](ByteView) { return Result<void>(); }));
    return refuse(staged, ours, theirs, nullptr);
  }
  const Result<std::unique_ptr<File>> present = file_system_.open(layout_.file(staged.name()));
  if (!present.ok()) {
    return present.error().code == Errc::kNotFound ? Result(std::optional<PutOutcome>())
                                                   : present.error();
  }
  ArchiveFileReader kept(*present.value(), staged.name());
  ArchiveFileReader refused(*staged.file_, staged.name());
  TRY_ASSIGN(const Difference difference,
             compare_contents(
                 staged.name(), [&] { return kept.next(); }, [&] { return refused.next(); }));
  if (difference.kind != Difference::Kind::kSameRecords) {
    return refuse(staged, ours, theirs, &difference);
  }
  // G2: the name keeps its content, and the other is kept too. Only then is it a success, and only
  // when the content that is there is durable.
  TRY(keep_staged(staged,
                  layout_.quarantine_file(staged.name(),
                                          label(Quarantined::Kind::kSameRecords, theirs.sha256))));
  TRY_ASSIGN(const std::optional<PutOutcome> persisted, persist_stored(staged.name()));
  return persisted ? std::optional(PutOutcome::kSameRecords) : std::nullopt;
}

Result<void> ArchiveStore::keep_staged(const StagedFile& staged, const std::string& target) {
  Result<void> linked = file_system_.link(staged.path_, target);
  if (!linked.ok() && linked.error().code != Errc::kAlreadyExists) {
    return linked;  // else the same content came before
  }
  return file_system_.sync_directory(layout_.quarantine_directory());
}

Error ArchiveStore::refuse(const StagedFile& staged, const FileFacts& ours, const FileFacts& theirs,
                           const Difference* difference) {
  using Kind = Quarantined::Kind;
  const WalName& name = staged.name();
  const std::string decided = layout_.quarantine_file(name, label(Kind::kResolved, theirs.sha256));
  const std::string hashes =
      "the archive has " + description(ours) + ", refused was " + description(theirs);
  if (file_system_.stat(decided).ok()) {
    return Error{
        Errc::kConflict,
        "an operator decided against this content: " + hashes + ", kept as '" + decided + "'",
        "the server that wrote it still does: stop it and rebuild it"};
  }
  const std::string target = layout_.quarantine_file(name, label(Kind::kConflict, theirs.sha256));
  const Result<void> kept = keep_staged(staged, target);
  const DifferenceWords words =
      difference == nullptr ? DifferenceWords{} : describe(name, *difference, ours, theirs);
  return Error{
      Errc::kConflict,
      "the name is taken by other content: " + (words.verdict.empty() ? "" : words.verdict + "; ") +
          hashes + ", " +
          (kept.ok() ? "kept as '" + target + "'"
                     : "and could not be kept in quarantine (" + kept.error().message + ")"),
      (words.cause.empty() ? "" : words.cause + "; ") + "`pgwalship conflicts show " + name.text() +
          "` says what to do"};
}

std::optional<ArchiveStore::Quarantined::Kind> ArchiveStore::quarantined_as(
    const WalName& name, const Sha256& content) const {
  using Kind = Quarantined::Kind;
  for (const Kind kind : {Kind::kConflict, Kind::kResolved, Kind::kSameRecords}) {
    if (file_system_.stat(layout_.quarantine_file(name, label(kind, content))).ok()) {
      return kind;
    }
  }
  return std::nullopt;
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
  // A name that is free reads as corrupt while a bad copy of it is in quarantine. A put may give it
  // a good one at any moment, and that is not what was verified (simulator seed 457).
  TRY(file_system_.stat(layout_.file(name)));
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
  if (!kept.ok()) {
    // What cannot be looked up is not proven absent (G5; simulator seed 6404).
    return kept.error().code == Errc::kNotFound ? std::move(file) : kept.error();
  }
  const std::string prefix = name.text() + ".corrupt-";
  if (std::any_of(kept.value().begin(), kept.value().end(),
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

}  // namespace pgwalship
