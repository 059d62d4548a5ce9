// The two jobs that BackFill gives: looking at the marks, and archiving one file. Blocks on the
// disk; any thread.
#pragma once

#include "archiver/back_fill.h"
#include "wal/archive_store.h"
#include "wal/data_directory.h"

#include <string>

namespace pgwalship {

struct BackFillFiles {
  FileSystem& file_system;
  ArchiveStore& store;
  DataDirectory directory;
  std::string node;  // this one, for the facts of what it archives
  int compression_level = kGzipLevelDefault;
};

Result<PgWalMarks> list_marks(const DataDirectory& directory);
// What is not in the archive is read, checked and stored there: durable with kStored and kThere.
FileExamined examine_file(const BackFillFiles& files, const ExamineFile& action);

}  // namespace pgwalship
