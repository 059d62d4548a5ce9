#include "tests/support/segment_builder.h"

#include "base/check.h"
#include "base/random.h"
#include "wal/segment_header.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace pgwalship {
namespace {

constexpr std::uint16_t kMagic15 = 0xD110;
constexpr std::uint16_t kLongHeaderFlag = 0x0002;
constexpr std::uint32_t kBlockBytes = 8192;

void put(Bytes& segment, std::size_t offset, ByteView bytes) {
  std::memcpy(segment.data() + offset, bytes.data(), bytes.size());
}

// Eight words repeat in three places of four, noise is in the fourth.
void fill(Bytes& segment, std::uint64_t seed) {
  Random random(seed);
  std::array<std::uint64_t, 8> words{};
  std::generate(words.begin(), words.end(), [&] { return random.next(); });
  for (std::size_t offset = 0; offset < segment.size(); offset += sizeof(std::uint64_t)) {
    const std::uint64_t dice = random.next();
    const std::uint64_t word = dice % 4 == 0 ? dice : words[dice / 4 % words.size()];
    std::memcpy(segment.data() + offset, &word, sizeof word);
  }
}

Bytes to_bytes(const std::string& text) {
  const ByteView view = as_bytes(text);
  return Bytes(view.begin(), view.end());
}

}  // namespace

WalName name_of(const SegmentSpec& spec) {
  return WalName::segment_at(spec.timeline, spec.lsn, spec.segment_bytes);
}

Bytes build_segment(const SegmentSpec& spec) {
  CHECK(is_segment_size(spec.segment_bytes) && spec.lsn % spec.segment_bytes == 0);
  Bytes segment(spec.segment_bytes);
  fill(segment, spec.seed);
  for (std::uint32_t offset = 0; offset < spec.segment_bytes; offset += kBlockBytes) {
    ByteWriter header;
    header.u16(kMagic15);
    header.u16(offset == 0 ? kLongHeaderFlag : 0);
    header.u32(spec.header_timeline != 0 ? spec.header_timeline : spec.timeline);
    header.u64(spec.lsn + offset);
    header.u32(0);  // no record continues here
    header.u32(0);  // padding
    if (offset == 0) {
      header.u64(spec.system_id);
      header.u32(spec.segment_bytes);
      header.u32(kBlockBytes);
    }
    put(segment, offset, header.view());
  }
  return segment;
}

Bytes build_history(std::uint32_t timeline, std::uint64_t seed) {
  CHECK(timeline > 1);
  return to_bytes(std::to_string(timeline - 1) + "\t" + lsn_text(seed << 24) +
                  "\tno recovery target specified\n");
}

Bytes build_backup_label(const WalName& name, std::uint64_t seed) {
  return to_bytes("START WAL LOCATION: " + lsn_text(name.start_lsn(kSegmentBytesMin)) + " (file " +
                  name.text().substr(0, 24) + ")\nBACKUP METHOD: streamed\nLABEL: backup " +
                  std::to_string(seed) + "\n");
}

FileFacts facts_of(const WalName& name, ByteView raw, const std::string& origin) {
  FileFacts facts;
  facts.sha256 = sha256(raw);
  facts.raw_bytes = raw.size();
  facts.origin = origin;
  facts.timeline = name.timeline();
  if (name.is_wal()) {
    const SegmentHeader header = parse_segment_header(raw).value();
    facts.timeline = header.timeline;
    facts.system_id = header.system_id;
    facts.lsn = header.page_lsn;
    facts.segment_bytes = header.segment_bytes;
  }
  return facts;
}

Bytes build_archive_file(const WalName& name, ByteView raw, const std::string& origin, int level) {
  GzipWriter writer(facts_of(name, raw, origin), name.text(), level);
  Bytes file;
  writer.write(raw, file);
  writer.finish(file);
  return file;
}

Bytes build_legacy_file(ByteView raw, const LegacyOptions& options) {
  GzipWriter writer({}, "", options.level);
  Bytes described;
  writer.write(raw, described);
  writer.finish(described);
  const std::size_t header_bytes = parse_gzip_header(described).value().header_bytes;
  ByteWriter file;
  file.u32(0x00088B1F);  // magic number, deflate, no flags
  file.u32(options.modified);
  file.u16(0x0300);  // written on Unix
  file.raw(ByteView(described).subspan(header_bytes));
  return file.take();
}

}  // namespace pgwalship
