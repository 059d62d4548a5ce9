// Valid content to archive, made from a seed: WAL segments as PostgreSQL 15 lays out their pages,
// history files, backup labels, and the archive files around them. Equal specs give equal bytes.
#pragma once

#include "base/bytes.h"
#include "wal/gzip.h"
#include "wal/segment_name.h"

#include <cstdint>
#include <string>

namespace pgwalship {

inline constexpr std::uint64_t kTestSystemId = 7299870112345678901U;

struct SegmentSpec {
  std::uint32_t timeline = 1;
  std::uint32_t header_timeline = 0;  // 0: the same
  std::uint64_t lsn = std::uint64_t{1} << 24;
  std::uint32_t segment_bytes = kSegmentBytesMin;
  std::uint64_t system_id = kTestSystemId;
  std::uint64_t seed = 1;
};

WalName name_of(const SegmentSpec& spec);
// About three times smaller when compressed, like WAL without full-page images.
Bytes build_segment(const SegmentSpec& spec);
// A few lines of text; different seeds give different text.
Bytes build_history(std::uint32_t timeline, std::uint64_t seed);
Bytes build_backup_label(const WalName& name, std::uint64_t seed);

// What pushing `raw` under `name` from `origin` would say about it.
FileFacts facts_of(const WalName& name, ByteView raw, const std::string& origin = "pgdb1");
Bytes build_archive_file(const WalName& name, ByteView raw, const std::string& origin = "pgdb1",
                         int level = kGzipLevelDefault);

// As gzip(1) makes it: no description of the content, a time of modification.
struct LegacyOptions {
  int level = 6;
  std::uint32_t modified = 0;
};
Bytes build_legacy_file(ByteView raw, const LegacyOptions& options);

}  // namespace pgwalship
