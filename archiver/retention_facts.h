// What plan_retention() has to know of one archive, read from it. Blocks.
#pragma once

#include "archiver/retention.h"

namespace pgwalship {

// Fills in files, backups, histories, segment_bytes, recorded_floor and, when it is recorded, the
// need of this node's own server. What a label or history file holds that cannot be read is not
// known; that the archive cannot be read is an error.
Result<RetentionInputs> read_retention_facts(const ArchiveStore& store);

}  // namespace pgwalship
