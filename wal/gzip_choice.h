// Which engine unpacks and packs on this machine.
#pragma once

#include "wal/gzip.h"

namespace pgwalship {

// kPortable where ISA-L cannot be loaded.
GzipReader::Engine best_gzip_engine();

}  // namespace pgwalship
