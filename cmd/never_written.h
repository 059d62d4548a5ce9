// Segments that PostgreSQL wants archived and that were never written. pg_wal keeps recycled files
// under the names of segments to come, with what they held before. When a server leaves a timeline
// exactly at the end of a segment, the next one's file stays, and a later checkpoint gives it a
// .ready: PostgreSQL 15 under failovers and pg_rewind. No push of it can ever succeed, and the
// archiver goes on to nothing else.
#pragma once

#include "base/file_system.h"
#include "wal/archive_store.h"

#include <cstdint>
#include <optional>
#include <string>

namespace pgwalship {

// What to tell about the file at `path`, when it is proven that there is nothing of `name` and
// never will be: its first page is an earlier segment's of the server `system_id`, no page is this
// segment's, and an archived history says that the timeline was left before this segment began.
// Otherwise nothing. The history alone is not enough: a server may go on with a timeline that a
// copy of it has left, and its disk may lose a page.
std::optional<std::string> never_written(FileSystem& files, const ArchiveStore& store,
                                         const std::string& path, const WalName& name,
                                         std::uint64_t system_id);

}  // namespace pgwalship
