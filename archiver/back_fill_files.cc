#include "archiver/back_fill_files.h"

#include "wal/pg_wal_file.h"

namespace pgwalship {
namespace {

FileExamined examined(const WalName& name, FileExamined::Outcome outcome) {
  return FileExamined{name, outcome, {}, {}};
}

bool is_same(const FileStat& a, const FileStat& b) {
  return a.size == b.size && a.inode == b.inode && a.device == b.device && a.modified == b.modified;
}

Result<FileExamined> archive(const BackFillFiles& files, const ExamineFile& action) {
  const std::string path = files.directory.pg_wal() + "/" + action.name.text();
  TRY_ASSIGN(const FileStat before, files.file_system.stat(path));
  const FileExamined unfinished{action.name, FileExamined::Outcome::kUnfinished, {}, before};
  if (action.unless_still.has_value() && is_same(*action.unless_still, before)) {
    return unfinished;
  }
  TRY_ASSIGN(const std::uint64_t system_id, files.store.system_id());
  auto file = PgWalFile::open(
      files.file_system,
      {.path = path, .name = action.name, .origin = files.node, .system_id = system_id});
  if (!file.ok()) {
    return file.error().code == Errc::kRetry ? Result(unfinished) : file.error();
  }
  if (const auto measured = file.value().measure(); !measured.ok()) {
    return measured.error().code == Errc::kRetry ? Result(unfinished) : measured.error();
  }
  if (!file.value().is_finished()) {
    return unfinished;
  }
  const auto outcome = archive_pg_wal_file(files.store, file.value(), files.compression_level);
  if (!outcome.ok() && outcome.error().code == Errc::kRetry) {
    return FileExamined{action.name, FileExamined::Outcome::kUnfinished, {}, {}};
  }
  if (!outcome.ok()) {
    return outcome.error();
  }
  return examined(action.name, outcome.value() == PutOutcome::kStored
                                   ? FileExamined::Outcome::kStored
                                   : FileExamined::Outcome::kThere);
}

}  // namespace

Result<PgWalMarks> list_marks(const DataDirectory& directory) {
  PgWalMarks found;
  // In this order: a server that is promoted in between is taken for a standby once more.
  found.in_recovery = directory.is_in_recovery();
  TRY_ASSIGN(found.marks, directory.marks());
  return found;
}

FileExamined examine_file(const BackFillFiles& files, const ExamineFile& action) {
  const auto held = [&] { return files.store.open(action.name).ok(); };
  const Result<SegmentPosition> floor = files.store.floor();
  if (held() || (floor.ok() && action.name.is_below(floor.value()))) {
    return examined(action.name, FileExamined::Outcome::kThere);
  }
  Result<FileExamined> result = archive(files, action);
  if (result.ok()) {
    return std::move(result).value();
  }
  const Error& error = result.error();
  if (error.code == Errc::kNotFound) {
    return examined(action.name,
                    held() ? FileExamined::Outcome::kThere : FileExamined::Outcome::kGone);
  }
  return FileExamined{action.name, FileExamined::Outcome::kFailed, error, {}};
}

}  // namespace pgwalship
