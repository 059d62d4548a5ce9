#include "archiver/look_ahead_files.h"

#include <algorithm>

namespace pgwalship {
namespace {

using Outcome = AheadRead::Outcome;

AheadStaged ended(const WalName& name, Outcome outcome) {
  return AheadStaged{AheadRead{name, outcome, {}, {}, {}}, {}, nullptr};
}

Result<AheadStaged> stage(const LookAheadFiles& files, const ReadAhead& action) {
  // Its server may have handed it over since the marks were listed, and recycled it.
  TRY(files.file_system.stat(files.directory.archive_status() + "/" + action.name.text() +
                             ".ready"));
  const std::string path = files.directory.pg_wal() + "/" + action.name.text();
  TRY_ASSIGN(const std::uint64_t system_id, files.store.system_id());
  TRY_ASSIGN(const FileStat before, files.file_system.stat(path));
  const WallTime opened = files.clock.wall();
  const WallTime changed = std::max(before.modified, before.changed);
  if (changed <= opened && opened < changed + kStampTick) {
    return ended(action.name, Outcome::kYoung);
  }
  TRY_ASSIGN(PgWalFile file, PgWalFile::open(files.file_system, {.path = path,
                                                                 .name = action.name,
                                                                 .origin = files.node,
                                                                 .system_id = system_id}));
  TRY_ASSIGN(std::unique_ptr<StagedFile> staged, files.store.stage(action.name));
  TRY(file.pack(action.completeness, files.compression_level, *staged));
  TRY_ASSIGN(const FileStat now, files.file_system.stat(path));
  if (!file.is_finished() || now != before || now != file.stat()) {
    return ended(action.name, Outcome::kUnfinished);
  }
  AheadStaged result = ended(action.name, Outcome::kRead);
  if (changed <= opened) {
    result.result.stamp = now;
  }
  result.facts = file.facts();
  result.result.content = ContentKey::of(result.facts.sha256);
  result.file = std::move(staged);
  return result;
}

}  // namespace

AheadStaged read_ahead(const LookAheadFiles& files, const ReadAhead& action) {
  Result<AheadStaged> staged = stage(files, action);
  if (staged.ok()) {
    return std::move(staged).value();
  }
  const Error& error = staged.error();
  if (error.code == Errc::kNotFound) {
    return ended(action.name, Outcome::kGone);
  }
  if (error.code == Errc::kRetry) {
    return ended(action.name, Outcome::kUnfinished);
  }
  AheadStaged failed = ended(action.name, Outcome::kFailed);
  failed.result.error = error;
  return failed;
}

}  // namespace pgwalship
