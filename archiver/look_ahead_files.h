// The job that LookAhead gives: to read one file of pg_wal and to stage it. Blocks on the disk; any
// thread.
#pragma once

#include "archiver/look_ahead.h"
#include "wal/archive_store.h"
#include "wal/data_directory.h"

#include <memory>
#include <string>

namespace pgwalship {

struct LookAheadFiles {
  const Clock& clock;
  FileSystem& file_system;
  ArchiveStore& store;
  DataDirectory directory;
  std::string node;  // this one, for the facts of what it ships
  int compression_level = kGzipLevelDefault;
};

struct AheadStaged {
  AheadRead result;
  FileFacts facts;  // these two with Outcome::kRead
  std::shared_ptr<StagedFile> file;
};
AheadStaged read_ahead(const LookAheadFiles& files, const ReadAhead& action);

}  // namespace pgwalship
