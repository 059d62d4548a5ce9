// What the simulated servers push: real names with real gzip files, small, and the same for equal
// keys in every run, so that they are made once per process.
#pragma once

#include "base/bytes.h"
#include "wal/gzip.h"
#include "wal/segment_name.h"

#include <cstdint>
#include <memory>

namespace pgwalship::sim {

struct Content {
  WalName name;
  Bytes raw;
  Bytes file;
  FileFacts facts;
};
using ContentRef = std::shared_ptr<const Content>;

// Mostly small files (history files, which are always kept, and backup labels, which expire as
// segments do); every sixteenth is a whole segment of 1 MiB, every ninth a file that takes
// several Data. `variant` chooses between contents of the same name, `origin` who pushes it.
// Numbers from kSegmentsFrom to kSegmentsTo are consecutive segments.
inline constexpr std::uint32_t kSegmentsFrom = 500'000;
inline constexpr std::uint32_t kSegmentsTo = 600'000;
WalName name_of_file(std::uint32_t number);
ContentRef content_of(std::uint32_t number, std::uint32_t variant, std::uint32_t origin);
std::string node_name(std::size_t node);

// The hash of the raw content of an archive file, when all of it verifies; nothing otherwise.
// Written here once more, so that the checker does not depend on the store.
std::optional<Sha256> verified_hash(const WalName& name, ByteView file);

}  // namespace pgwalship::sim
