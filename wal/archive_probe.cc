// Whether a put would succeed now, without a file of WAL: the same calls in the same order
// (wal/archive_store.h), on bytes that nobody needs. Both names lie in tmp/ and are removed; what a
// crash leaves there, prepare() takes away. For a moment the archive has a name more, too.
#include "wal/archive_lock.h"
#include "wal/archive_store.h"
#include "wal/space_hint.h"

#include <algorithm>

namespace pgwalship {
namespace {

// No WAL file is called so.
constexpr const char* kStem = "probe";
constexpr const char* kSecondStem = "probe-linked";
// In the archive itself, for a moment. One name for all: what a crash leaves goes with the next.
constexpr const char* kInArchive = "/.pgwalship-probe";

// A directory that takes no name takes no segment, whatever tmp/ does. Another probe may have the
// name: that it can be taken away tells the same.
Result<void> take_a_name(FileSystem& file_system, const std::string& from,
                         const std::string& path) {
  Result<void> linked = file_system.link(from, path);
  if (!linked.ok() && linked.error().code != Errc::kAlreadyExists) {
    return linked;
  }
  Result<void> removed = file_system.remove(path);
  return removed.ok() || removed.error().code == Errc::kNotFound ? Result<void>() : removed;
}

}  // namespace

Result<Bytes> ArchiveStore::probe(ByteView bytes) {
  CHECK(!bytes.empty());
  if (const Result<void> same = check_directory(); !same.ok()) {
    return same.error().within("write a probe");
  }
  TRY(check_reserve());
  Result<Bytes> back = write_probe(bytes);
  if (!back.ok()) {
    return with_hint(back.error()).within("write a probe");
  }
  return back;
}

Result<Bytes> ArchiveStore::write_probe(ByteView bytes) {
  const std::uint64_t unique = next_unique();
  const std::string path = layout_.tmp_file(kStem, unique);
  const std::string second_path = layout_.tmp_file(kSecondStem, unique);
  TRY_ASSIGN(const std::unique_ptr<File> file, file_system_.create(path));
  const RemoveAtExit remove_first(file_system_, path);
  TRY(file->write_at(0, bytes));
  TRY(file->sync());
  TRY(file_system_.link(path, second_path));
  const RemoveAtExit remove_second(file_system_, second_path);
  TRY(take_a_name(file_system_, path, layout_.directory() + kInArchive));
  TRY(file_system_.sync_directory(layout_.tmp_directory()));
  TRY(file_system_.sync_directory(layout_.directory()));
  TRY_ASSIGN(const std::unique_ptr<File> named, file_system_.open(second_path));
  Bytes back(bytes.size());
  TRY_ASSIGN(const std::size_t size, named->read_at(0, back));
  if (size != bytes.size() || !std::equal(back.begin(), back.end(), bytes.begin())) {
    return Error{Errc::kCorrupt, "'" + second_path + "' does not hold what was written",
                 "look at the disk's health"};
  }
  return back;
}

}  // namespace pgwalship
