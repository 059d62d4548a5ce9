#include "tests/sim/pg_wal.h"

#include "wal/archive_layout.h"

#include <utility>

namespace pgwalship::sim {

namespace {

// A segment lives at least from one checkpoint to the next.
constexpr seconds kLifeMin{6};
constexpr seconds kLifeMax{25};
// From the rename of a recycled file to the first write over it.
constexpr milliseconds kOverwrittenWithin{50};

std::string path_of(const WalName& name) {
  return std::string(kDataDirectory) + "/pg_wal/" + name.text();
}

std::string mark_of(const WalName& name) {
  return std::string(kDataDirectory) + "/pg_wal/archive_status/" + name.text() + ".done";
}

}  // namespace

PgWal::PgWal(Schedule& schedule, NodeDisk& disk, Checker& checker, Options options)
    : schedule_(schedule), disk_(disk), checker_(checker), options_(std::move(options)) {}

void PgWal::stream(const ContentRef& content) {
  const auto free = disk_.memory->free_bytes("/");
  if (content->name.kind() == WalKind::kBackup ||  // which is written by the primary alone
      disk_.memory->stat(path_of(content->name)).ok() || !free.ok() ||
      free.value() < 4 * content->raw.size()) {
    return;
  }
  // Sometimes the stream ends in the middle, and goes on later: the file is marked all the same.
  if (content->name.kind() == WalKind::kSegment && schedule_.random().one_in(3)) {
    Bytes begun(content->raw.begin(), content->raw.begin() + 8192);
    begun.resize(content->raw.size());
    begun[8192] = std::byte{1};  // what another segment left there
    disk_.memory->plant(path_of(content->name), begun);
    std::ignore = disk_.memory->remove(mark_of(content->name));  // which a crash may bring back
    disk_.memory->plant(mark_of(content->name), {});
    schedule_.after(schedule_.between({}, seconds(5)), [this, content] { write(content); });
    return;
  }
  write(content);
}

void PgWal::write(const ContentRef& content) {
  std::ignore = disk_.memory->remove(path_of(content->name));
  std::ignore = disk_.memory->remove(mark_of(content->name));
  disk_.memory->plant(path_of(content->name), content->raw);
  disk_.memory->plant(mark_of(content->name), {});
  options_.say(node_name(options_.node) + ": streamed " + content->name.text());
  schedule_.after(schedule_.between(kLifeMin, kLifeMax),
                  [this, content, marked_at = schedule_.now()] { recycle(content, marked_at); });
}

void PgWal::recycle(const ContentRef& content, TimePoint marked_at) {
  MemoryFileSystem& memory = *disk_.memory;
  if (!memory.stat(path_of(content->name)).ok()) {
    return;  // the disk was replaced
  }
  if (options_.steady_since() <= marked_at) {
    checker_.recycled(options_.node, *content);
  }
  const std::string recycled = path_of(content->name) + "." + std::to_string(memory.mutations());
  std::ignore = memory.rename(path_of(content->name), recycled);
  // As durable_rename() does: else the old name may come back with the new bytes (seed 3507).
  std::ignore = memory.sync_directory(std::string(kDataDirectory) + "/pg_wal");
  std::ignore = memory.remove(mark_of(content->name));
  schedule_.after(schedule_.between({}, kOverwrittenWithin), [this, recycled] {
    if (const auto stat = disk_.memory->stat(recycled); stat.ok()) {
      for (std::uint64_t offset = 0; offset < stat.value().size; offset += 97) {
        disk_.memory->flip_byte(recycled, offset);
      }
      std::ignore = disk_.memory->remove(recycled);
    }
  });
}

BackFiller::BackFiller(Process& process, FileSystem& disk, ArchiveStore& store, Options options)
    : process_(process),
      files_{disk, store, DataDirectory(disk, kDataDirectory), options.node, kGzipLevelDefault},
      options_(std::move(options)),
      jobs_(process) {
  arm();
}

void BackFiller::feed(const BackFillEvent& event) {
  for (const BackFillAction& action : back_fill_.step(event, process_.schedule().now())) {
    std::visit([this](const auto& a) { act(a); }, action);
  }
  arm();
}

void BackFiller::act(const ListPgWal&) {
  jobs_.post([this]() -> JobQueue::Completion {
    auto listed = std::make_shared<PgWalListed>(PgWalListed{list_marks(files_.directory)});
    return [this, listed] { feed(*listed); };
  });
}

void BackFiller::act(const ExamineFile& action) {
  jobs_.post([this, action]() -> JobQueue::Completion {
    auto result = std::make_shared<FileExamined>(examine_file(files_, action));
    return [this, result] { feed(*result); };
  });
}

void BackFiller::act(const ArchiveHasGrown&) {
  options_.on_archive_grown();
}

void BackFiller::act(const Report& action) {
  options_.say(action.line);
}

void BackFiller::arm() {
  const TimePoint now = process_.schedule().now();
  const TimePoint next = back_fill_.next_wakeup();
  if (next != kNever && (next < wake_at_ || wake_at_ <= now)) {
    wake_at_ = next;
    process_.after(std::max(next - now, Duration(microseconds(100))),
                   [this] { feed(BackFillTick{}); });
  }
}

}  // namespace pgwalship::sim
