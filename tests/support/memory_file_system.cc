#include "tests/support/memory_file_system.h"

#include "base/fd.h"
#include "tests/support/memory_file.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace pgwalship {

namespace {

constexpr std::uint64_t kDevice = 1;

std::string quoted(std::string_view verb, const std::string& path) {
  return std::string(verb) + " '" + path + "'";
}

std::string quoted(std::string_view verb, const std::string& from, const std::string& to) {
  return quoted(verb, from) + " to '" + to + "'";
}

// One slash between names, none at the end.
std::string normal(const std::string& path) {
  CHECK(path.starts_with('/'));
  std::string result;
  for (const char c : path) {
    if (c != '/' || !result.ends_with('/')) {
      result += c;
    }
  }
  if (result.size() > 1 && result.ends_with('/')) {
    result.pop_back();
  }
  return result;
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Result<std::unique_ptr<File>> MemoryFileSystem::create(const std::string& path) {
  const std::lock_guard guard(mutex_);
  const std::string doing = quoted("create", path);
  InodePointer inode;
  const auto created = script_.mutate({Operation::kCreate, doing, "create " + path, path},
                                      [&](Result<void> fault) -> Result<void> {
                                        TRY(fault);
                                        TRY_ASSIGN(const Place place, locate_vacant(path, doing));
                                        inode = std::make_shared<MemoryInode>(next_inode_++);
                                        change_names({{place.directory, place.name, inode}});
                                        return {};
                                      });
  TRY(created);
  auto lock = std::make_shared<MemoryInode::Lock>();
  inode->lock = lock;
  return std::unique_ptr<File>(std::make_unique<MemoryFile>(
      *this, inode, path, MemoryFile::Access::kReadWrite, std::move(lock)));
}

Result<std::unique_ptr<File>> MemoryFileSystem::open(const std::string& path) {
  const std::lock_guard guard(mutex_);
  TRY(look(Operation::kOpen, "open", path));
  if (directories_.contains(normal(path))) {
    return Error{Errc::kInvalid, quoted("open", path) + ": not a regular file", {}};
  }
  TRY_ASSIGN(InodePointer inode, find_file(path, quoted("open", path)));
  return std::unique_ptr<File>(std::make_unique<MemoryFile>(*this, std::move(inode), path,
                                                            MemoryFile::Access::kRead, nullptr));
}

Result<void> MemoryFileSystem::link(const std::string& from, const std::string& to) {
  const std::lock_guard guard(mutex_);
  const std::string doing = quoted("link", from, to);
  return script_.mutate({Operation::kLink, doing, "link " + from + " " + to, to},
                        [&](Result<void> fault) -> Result<void> {
                          TRY(fault);
                          TRY_ASSIGN(InodePointer inode, find_file(from, doing));
                          TRY_ASSIGN(const Place place, locate_vacant(to, doing));
                          change_names({{place.directory, place.name, std::move(inode)}});
                          return {};
                        });
}

Result<void> MemoryFileSystem::rename(const std::string& from, const std::string& to) {
  const std::lock_guard guard(mutex_);
  const std::string doing = quoted("rename", from, to);
  return script_.mutate(
      {Operation::kRename, doing, "rename " + from + " " + to, to},
      [&](Result<void> fault) { return fault.ok() ? rename_names(from, to, doing) : fault; });
}

Result<void> MemoryFileSystem::remove(const std::string& path) {
  const std::lock_guard guard(mutex_);
  return remove_name(path, InUse::kRemove);
}

Result<void> MemoryFileSystem::remove_abandoned(const std::string& path) {
  const std::lock_guard guard(mutex_);
  return remove_name(path, InUse::kRefuse);
}

Result<void> MemoryFileSystem::sync_directory(const std::string& path) {
  const std::lock_guard guard(mutex_);
  const std::string doing = quoted("fsync directory", path);
  return script_.mutate(
      {Operation::kSyncDirectory, doing, "syncdir " + path, path},
      [&](Result<void> fault) { return fault.ok() ? settle_names(normal(path), doing) : fault; });
}

Result<void> MemoryFileSystem::make_directories(const std::string& path) {
  const std::lock_guard guard(mutex_);
  if (directories_.contains(normal(path))) {
    return look(Operation::kMakeDirectories, "make directory", path);
  }
  std::vector<std::string> missing;
  for (std::string at = normal(path); !directories_.contains(at); at = parent_of(at)) {
    missing.push_back(at);
  }
  for (; !missing.empty(); missing.pop_back()) {
    TRY(make_directory(missing.back()));
  }
  return {};
}

Result<std::vector<std::string>> MemoryFileSystem::list(const std::string& path) const {
  const std::lock_guard guard(mutex_);
  TRY(look(Operation::kList, "open directory", path));
  const auto found = directories_.find(normal(path));
  if (found == directories_.end()) {
    TRY(find_file(path, quoted("open directory", path)));
    return errno_error(quoted("open directory", path), ENOTDIR);
  }
  std::vector<std::string> names;
  for (const auto& [name, inode] : found->second.current) {
    names.push_back(name);
  }
  return names;
}

Result<void> MemoryFileSystem::visit_files(const std::string& path,
                                           const FileVisitor& visitor) const {
  TRY_ASSIGN(const std::vector<std::string> names, list(path));
  for (const std::string& name : names) {
    if (const Result<FileStat> found = stat(path + "/" + name); found.ok()) {
      visitor(name, found.value());
    } else if (found.error().code != Errc::kNotFound) {
      return found.error();
    }
  }
  return {};
}

Result<FileStat> MemoryFileSystem::stat(const std::string& path) const {
  const std::lock_guard guard(mutex_);
  TRY(look(Operation::kStat, "stat", path));
  if (directories_.contains(normal(path))) {
    return FileStat{.device = kDevice};
  }
  TRY_ASSIGN(const InodePointer inode, find_file(path, quoted("stat", path)));
  return stat_of(*inode);
}

Result<std::uint64_t> MemoryFileSystem::free_bytes(const std::string& path) const {
  const std::lock_guard guard(mutex_);
  TRY(look(Operation::kFreeBytes, "stat file system of", path));
  if (!directories_.contains(normal(path))) {
    TRY(find_file(path, quoted("stat file system of", path)));
  }
  return capacity_bytes_ - used_bytes_;
}

void MemoryFileSystem::fail(Fault fault) {
  const std::lock_guard guard(mutex_);
  script_.add(std::move(fault));
}

void MemoryFileSystem::clear_faults() {
  const std::lock_guard guard(mutex_);
  script_.clear_faults();
}

void MemoryFileSystem::halt_after(std::uint64_t count) {
  const std::lock_guard guard(mutex_);
  script_.halt_after(count);
}

bool MemoryFileSystem::halted() const {
  const std::lock_guard guard(mutex_);
  return script_.halted();
}

std::uint64_t MemoryFileSystem::mutations() const {
  const std::lock_guard guard(mutex_);
  return script_.mutations();
}

void MemoryFileSystem::crash(Random& random) {
  const std::lock_guard guard(mutex_);
  enum class Fate : std::uint64_t { kNothingWritten, kAllWritten, kSomeWritten };
  const auto fate = static_cast<Fate>(random.below(3));
  for (NameChanges& changes : unsynced_) {
    if (fate == Fate::kAllWritten || (fate == Fate::kSomeWritten && random.one_in(2))) {
      for (NameChange& change : changes) {
        write_name(directories_.at(change.directory).synced, change);
      }
    }
  }
  unsynced_.clear();
  std::set<std::uint64_t> settled;  // a file with two names loses power once
  for (auto& [path, directory] : directories_) {
    directory.current = directory.synced;
    for (auto& [name, inode] : directory.current) {
      if (settled.insert(inode->number).second) {
        inode->lose_power(random);
      }
    }
  }
  begin_again();
}

void MemoryFileSystem::restart() {
  const std::lock_guard guard(mutex_);
  begin_again();
}

void MemoryFileSystem::set_free_bytes(std::uint64_t bytes) {
  const std::lock_guard guard(mutex_);
  capacity_bytes_ = used_bytes_ + bytes;
}

std::vector<std::string> MemoryFileSystem::operations() const {
  const std::lock_guard guard(mutex_);
  return script_.operations();
}

void MemoryFileSystem::clear_operations() {
  const std::lock_guard guard(mutex_);
  script_.clear_operations();
}

void MemoryFileSystem::plant(const std::string& path, ByteView content) {
  const std::lock_guard guard(mutex_);
  const std::string at = normal(path);
  for (std::string parent = parent_of(at); parent != "/"; parent = parent_of(parent)) {
    directories_.try_emplace(parent);
  }
  const Place place = locate_vacant(at, "plant").value();
  auto inode = std::make_shared<MemoryInode>(next_inode_++);
  inode->write(0, content);
  inode->sync();
  inode->names = 1;
  used_bytes_ += content.size();
  directories_.at(place.directory).current[place.name] = inode;
  directories_.at(place.directory).synced[place.name] = inode;
}

Bytes MemoryFileSystem::content(const std::string& path) const {
  const std::lock_guard guard(mutex_);
  return find_file(path, "content").value()->content();
}

void MemoryFileSystem::flip_byte(const std::string& path, std::uint64_t offset) {
  const std::lock_guard guard(mutex_);
  find_file(path, "flip byte").value()->flip_byte(offset);
}

bool MemoryFileSystem::is_durable(const std::string& path) const {
  const std::lock_guard guard(mutex_);
  const auto place = locate(path, "is durable");
  if (!place.ok()) {
    return false;
  }
  const auto& [directory, name] = place.value();
  const InodePointer inode = find_inode(place.value());
  const Names& synced = directories_.at(directory).synced;
  const auto kept = synced.find(name);
  if (!inode || kept == synced.end() || kept->second != inode || !inode->durable()) {
    return false;
  }
  for (const NameChanges& changes : unsynced_) {
    for (const NameChange& change : changes) {
      if (change.directory == directory && change.name == name) {
        return false;
      }
    }
  }
  return true;
}

Result<void> MemoryFileSystem::look(Operation operation, std::string_view verb,
                                    const std::string& path) const {
  return script_.look({operation, quoted(verb, path), {}, path});
}

Result<MemoryFileSystem::Place> MemoryFileSystem::locate(const std::string& path,
                                                         const std::string& doing) const {
  const std::string at = normal(path);
  if (directories_.contains(at)) {
    return errno_error(doing, EISDIR);
  }
  const std::string directory = parent_of(at);
  if (directories_.contains(directory)) {
    return Place{directory, at.substr(at.find_last_of('/') + 1)};
  }
  std::string existing = directory;
  while (!directories_.contains(parent_of(existing))) {
    existing = parent_of(existing);
  }
  const std::string name = existing.substr(existing.find_last_of('/') + 1);
  const bool below_a_file = directories_.at(parent_of(existing)).current.contains(name);
  return errno_error(doing, below_a_file ? ENOTDIR : ENOENT);
}

Result<MemoryFileSystem::Place> MemoryFileSystem::locate_vacant(const std::string& path,
                                                                const std::string& doing) const {
  if (directories_.contains(normal(path))) {
    return errno_error(doing, EEXIST);
  }
  TRY_ASSIGN(Place place, locate(path, doing));
  if (find_inode(place)) {
    return errno_error(doing, EEXIST);
  }
  return place;
}

Result<MemoryFileSystem::InodePointer> MemoryFileSystem::find_file(const std::string& path,
                                                                   const std::string& doing) const {
  TRY_ASSIGN(const Place place, locate(path, doing));
  InodePointer inode = find_inode(place);
  if (!inode) {
    return errno_error(doing, ENOENT);
  }
  return inode;
}

MemoryFileSystem::InodePointer MemoryFileSystem::find_inode(const Place& place) const {
  const Names& names = directories_.at(place.directory).current;
  const auto found = names.find(place.name);
  return found == names.end() ? nullptr : found->second;
}

void MemoryFileSystem::write_name(Names& names, const NameChange& change) {
  if (change.after) {
    names[change.name] = change.after;
  } else {
    names.erase(change.name);
  }
}

void MemoryFileSystem::change_names(NameChanges changes) {
  for (const NameChange& change : changes) {
    const InodePointer before = find_inode({change.directory, change.name});
    if (change.after) {
      ++change.after->names;
    }
    write_name(directories_.at(change.directory).current, change);
    if (before) {
      --before->names;
      release(*before);
    }
  }
  unsynced_.push_back(std::move(changes));
}

// Its bytes are free once nobody can reach them, as in Linux; that a crash may bring the name back
// does not count.
void MemoryFileSystem::release(const MemoryInode& inode) {
  if (inode.names == 0 && inode.open_files == 0) {
    used_bytes_ -= inode.content().size();
  }
}

void MemoryFileSystem::begin_again() {
  ++boots_;
  script_.resume();
  std::map<std::uint64_t, InodePointer> reachable;
  for (const auto& [path, directory] : directories_) {
    for (const auto& [name, inode] : directory.current) {
      if (reachable.emplace(inode->number, inode).second) {
        inode->names = 0;
      }
      ++inode->names;
    }
  }
  used_bytes_ = 0;
  for (const auto& [number, inode] : reachable) {
    inode->open_files = 0;
    inode->lock.reset();
    used_bytes_ += inode->content().size();
  }
  capacity_bytes_ = std::max(capacity_bytes_, used_bytes_);
}

// The new name first: until both directories are synced the file may have both names or one, and
// rename(2) of two names of one file does nothing at all.
Result<void> MemoryFileSystem::rename_names(const std::string& from, const std::string& to,
                                            const std::string& doing) {
  TRY_ASSIGN(const InodePointer inode, find_file(from, doing));
  TRY_ASSIGN(const Place old_place, locate(from, doing));
  TRY_ASSIGN(const Place new_place, locate(to, doing));
  if (find_inode(new_place) != inode) {
    change_names({{new_place.directory, new_place.name, inode},
                  {old_place.directory, old_place.name, nullptr}});
  }
  return {};
}

Result<void> MemoryFileSystem::remove_name(const std::string& path, InUse in_use) {
  const std::string doing = quoted("remove", path);
  return script_.mutate({Operation::kRemove, doing, "remove " + path, path},
                        [&](Result<void> fault) -> Result<void> {
                          TRY(fault);
                          TRY_ASSIGN(const InodePointer inode, find_file(path, doing));
                          if (in_use == InUse::kRefuse && !inode->lock.expired()) {
                            return Error{Errc::kRetry, doing + ": a living process writes it", {}};
                          }
                          TRY_ASSIGN(const Place place, locate(path, doing));
                          change_names({{place.directory, place.name, nullptr}});
                          return {};
                        });
}

Result<void> MemoryFileSystem::settle_names(const std::string& path, const std::string& doing) {
  const auto found = directories_.find(path);
  if (found == directories_.end()) {
    TRY(find_file(path, doing));
    return errno_error(doing, ENOTDIR);
  }
  for (NameChanges& changes : unsynced_) {
    for (const NameChange& change : changes) {
      if (change.directory == path) {
        write_name(found->second.synced, change);
      }
    }
    std::erase_if(changes, [&](const NameChange& change) { return change.directory == path; });
  }
  std::erase_if(unsynced_, [](const NameChanges& changes) { return changes.empty(); });
  return {};
}

Result<void> MemoryFileSystem::make_directory(const std::string& path) {
  const std::string doing = quoted("make directory", path);
  return script_.mutate({Operation::kMakeDirectories, doing, "mkdir " + path, path},
                        [&](Result<void> fault) -> Result<void> {
                          TRY(fault);
                          TRY_ASSIGN(const Place place, locate(path, doing));
                          if (find_inode(place)) {
                            return errno_error(doing, ENOTDIR);
                          }
                          directories_.try_emplace(path);
                          return {};
                        });
}

Result<void> MemoryFileSystem::write(MemoryInode& inode, const std::string& path,
                                     std::uint64_t offset, ByteView data) {
  const std::string doing = quoted("write", path);
  return script_.mutate({Operation::kWrite, doing, "write " + path, path},
                        [&](Result<void> result) {
                          ByteView written = result.ok() ? data : data.first(data.size() / 2);
                          const std::uint64_t size = inode.content().size();
                          const std::uint64_t room_end = size + capacity_bytes_ - used_bytes_;
                          if (offset + written.size() > room_end) {
                            written = written.first(room_end > offset ? room_end - offset : 0);
                            result = errno_error(doing, ENOSPC);
                          }
                          inode.write(offset, written);
                          inode.modified = WallTime(std::chrono::seconds(script_.mutations()));
                          used_bytes_ += inode.content().size() - size;
                          return result;
                        });
}

Result<void> MemoryFileSystem::sync(MemoryInode& inode, const std::string& path) {
  return script_.mutate({Operation::kSync, quoted("fsync", path), "sync " + path, path},
                        [&](Result<void> fault) {
                          if (fault.ok()) {
                            inode.sync();
                          } else {
                            inode.fail_sync();
                          }
                          return fault;
                        });
}

FileStat MemoryFileSystem::stat_of(const MemoryInode& inode) {
  return FileStat{.size = inode.content().size(),
                  .inode = inode.number,
                  .device = kDevice,
                  .modified = inode.modified,
                  .changed = inode.modified};
}

}  // namespace pgwalship
