// Measures the index of an archive and the comparison of two, for growing numbers of segments:
//
//     bench_reconcile DIRECTORY [SEGMENTS...]        (1000 10000 100000 1000000)
//
// In DIRECTORY it makes archives of small files (a true header each, no content: 4 KiB of disk) and
// removes them. Times are of the CPU and, for starts, of the wall as well, with a warm page cache.
// The comparison runs with its messages encoded and decoded, but without a network: what a round
// trip costs there comes on top, so many times.
#include "base/clock.h"
#include "base/posix_file_system.h"
#include "transport/messages.h"
#include "wal/archive_scan.h"
#include "wal/gzip.h"
#include "wal/index_cache.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <malloc.h>
#include <random>
#include <string>
#include <vector>

namespace pgwalship {
namespace {

constexpr std::uint32_t kSegmentBytes = 16U << 20U;
constexpr std::size_t kNameBytes = 26;  // of a name in a list of names

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

double wall_seconds() {
  return std::chrono::duration<double>(SystemClock().now().time_since_epoch()).count();
}

// Resident memory of this process.
double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double total = 0;
  double resident = 0;
  statm >> total >> resident;
  return resident * 4096;
}

void make_archive(const ArchiveLayout& layout, std::uint64_t segments) {
  std::filesystem::create_directories(layout.tmp_directory());
  std::mt19937_64 random(segments);
  for (std::uint64_t i = 0; i < segments; ++i) {
    const WalName name = WalName::segment_at(1, i * kSegmentBytes, kSegmentBytes);
    FileFacts facts;
    for (std::byte& byte : facts.sha256.bytes) {
      byte = static_cast<std::byte>(random());
    }
    facts.raw_bytes = kSegmentBytes;
    facts.system_id = 1;
    facts.timeline = 1;
    facts.lsn = i * kSegmentBytes;
    facts.segment_bytes = kSegmentBytes;
    facts.origin = "pgdb1.example.com";
    std::ofstream(layout.file(name), std::ios::binary)
        << as_text(make_gzip_header(facts, name.text()));
  }
}

struct Start {
  double wall = 0;
  double cpu = 0;
  std::uint64_t headers = 0;
  ArchiveIndex index;
};

Start start(FileSystem& file_system, const ArchiveLayout& layout) {
  const double wall = wall_seconds();
  const double cpu = cpu_seconds();
  ArchiveScan scan =
      scan_archive(file_system, layout, load_index_cache(file_system, layout)).value();
  return {wall_seconds() - wall, cpu_seconds() - cpu, scan.headers_read, std::move(scan.index)};
}

struct Costs {
  double asker = 0;
  double answerer = 0;
  std::size_t bytes = 0;
  std::size_t round_trips = 0;
  std::size_t found = 0;
};

template <typename T>
T over_the_wire(const Message& message, Costs& costs) {
  Bytes bytes;
  encode(message, bytes);
  costs.bytes += bytes.size();
  FrameDecoder decoder;
  decoder.feed(bytes);
  const Frame frame = std::move(*decoder.next().value());
  return std::get<T>(*decode(frame).value());
}

Costs compare(const ArchiveIndex& mine, const ArchiveIndex& theirs) {
  Costs costs;
  ArchiveComparison comparison(0);
  for (;;) {
    const double begin = cpu_seconds();
    std::optional<CompareQuery> query = comparison.next(mine);
    if (!query) {
      break;
    }
    const auto asked = over_the_wire<CompareRanges>(CompareRanges{1, std::move(*query)}, costs);
    const double sent = cpu_seconds();
    const auto answer = over_the_wire<CompareResult>(
        CompareResult{1, true, 0, 0, answer_compare(theirs, asked.query, 0)}, costs);
    const double answered = cpu_seconds();
    if (!comparison.take(mine, answer.answer).ok()) {
      std::abort();
    }
    costs.asker += sent - begin + cpu_seconds() - answered;
    costs.answerer += answered - sent;
    ++costs.round_trips;
  }
  const Differences found = std::move(comparison).result();
  costs.found = found.missing_there.size() + found.missing_here.size() + found.conflicting.size();
  return costs;
}

// Four missing there, three missing here, three conflicts, spread over the archive.
ArchiveIndex with_ten_differences(ArchiveIndex index) {
  const std::uint64_t size = index.size();
  for (std::uint64_t i = 0; i < 10; ++i) {
    const ArchivePlace place = *index.nth({}, 0, (2 * i + 1) * size / 20);
    if (i < 4) {
      index.remove(place);
    } else if (i < 7) {
      ArchivePlace other = place;
      other.kind = 2;
      index.put(other, {});
    } else {
      ArchiveIndex::Entry entry = *index.find(place);
      entry.key.bytes[0] ^= std::byte{1};
      index.put(place, entry);
    }
  }
  return index;
}

void measure(const std::string& directory, std::uint64_t segments) {
  PosixFileSystem file_system;
  const ArchiveLayout layout(directory + "/bench-archive");
  std::filesystem::remove_all(layout.directory());
  make_archive(layout, segments);
  const Start cold = start(file_system, layout);
  if (cold.headers != segments || !save_index_cache(file_system, layout, cold.index, 1).ok()) {
    std::abort();
  }
  const Start warm = start(file_system, layout);
  if (warm.headers != 0) {
    std::abort();
  }
  ::malloc_trim(0);
  const double before = resident_bytes();
  const auto* const copy = new ArchiveIndex(cold.index);
  const double per_segment = (resident_bytes() - before) / static_cast<double>(segments);
  const Costs equal = compare(cold.index, *copy);
  const Costs ten = compare(cold.index, with_ten_differences(*copy));
  if (ten.found != 10 || equal.found != 0) {
    std::abort();
  }
  std::printf(
      "| %9llu | %6.2f (%5.2f) | %6.2f (%5.2f) | %5.1f | %zu, %zu B | %zu, %zu B | %6.2f / "
      "%6.2f | %9zu |\n",
      static_cast<unsigned long long>(segments), cold.wall, cold.cpu, warm.wall, warm.cpu,
      per_segment, equal.round_trips, equal.bytes, ten.round_trips, ten.bytes, ten.asker * 1000,
      ten.answerer * 1000, segments * kNameBytes);
  std::fflush(stdout);
  delete copy;
  std::filesystem::remove_all(layout.directory());
}

}  // namespace
}  // namespace pgwalship

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s DIRECTORY [SEGMENTS...]\n", argv[0]);
    return 2;
  }
  std::puts(
      "|  segments | start without cache, s (CPU) | start from cache, s (CPU) | bytes of memory a "
      "segment | equal: round trips, bytes | ten differences: round trips, bytes | CPU of asker / "
      "answerer, ms | a list of names, bytes |");
  std::puts("|---|---|---|---|---|---|---|---|");
  std::vector<std::uint64_t> sizes;
  for (int i = 2; i < argc; ++i) {
    sizes.push_back(std::strtoull(argv[i], nullptr, 10));
  }
  if (sizes.empty()) {
    sizes = {1000, 10'000, 100'000, 1'000'000};
  }
  for (const std::uint64_t segments : sizes) {
    pgwalship::measure(argv[1], segments);
  }
  return 0;
}
