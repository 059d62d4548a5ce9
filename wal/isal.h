// Private to wal/: ISA-L, loaded when its work begins. Most starts of the client compress nothing
// (a segment that is shipped already, a fetch of what nobody has), and to load the library would
// take a third of such a start.
#pragma once

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

namespace pgwalship {

struct Isal {
  decltype(&::isal_deflate_init) deflate_init = nullptr;
  decltype(&::isal_deflate) deflate = nullptr;
  decltype(&::isal_inflate_init) inflate_init = nullptr;
  decltype(&::isal_inflate) inflate = nullptr;
  decltype(&::crc32_gzip_refl) crc32 = nullptr;
  decltype(&::crc32_iscsi) crc32c = nullptr;
};

// Null where the library is not installed: zlib does the same then, slower. Any thread.
const Isal* isal();

}  // namespace pgwalship
