#include "tests/sim/disk.h"

#include <utility>

namespace pgwalship::sim {

void NodeDisk::name_changed(const std::string& path) {
  if (on_name_changed) {
    on_name_changed(path);
  }
  const std::size_t slash = path.rfind('/');
  for (SimWatch* watch : watches) {
    if (path.substr(0, slash) == watch->directory_) {
      watch->changes_.names.push_back(path.substr(slash + 1));
      watch->on_change_();
    }
  }
}

SimWatch::SimWatch(NodeDisk& disk, std::string directory, std::function<void()> on_change)
    : disk_(disk), directory_(std::move(directory)), on_change_(std::move(on_change)) {
  disk_.watches.push_back(this);
}

SimWatch::~SimWatch() {
  std::erase(disk_.watches, this);
}

class ProcessDisk::OpenFile final : public File {
 public:
  OpenFile(const ProcessDisk& disk, std::unique_ptr<File> file)
      : disk_(disk), file_(std::move(file)) {}

  Result<void> write_at(std::uint64_t offset, ByteView data) override {
    TRY(disk_.begin(Cost::kChange, "write"));
    return file_->write_at(offset, data);
  }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    TRY(disk_.begin(Cost::kLook, "read"));
    return file_->read_at(offset, into);
  }
  Result<FileStat> stat() const override {
    TRY(disk_.begin(Cost::kLook, "stat of an open file"));
    return file_->stat();
  }
  Result<void> sync() override {
    TRY(disk_.begin(Cost::kSync, "fsync"));
    if (disk_.disk_.lie == DiskLie::kSyncDoesNothing) {
      return {};
    }
    if (disk_.fails()) {
      // The one failure that leaves something behind: the pages are lost and look clean.
      disk_.disk_.memory->fail({.operation = MemoryFileSystem::Operation::kSync});
    }
    return file_->sync();
  }
  Result<std::unique_ptr<File>> duplicate() const override {
    TRY(disk_.begin(Cost::kLook, "duplicate"));
    TRY_ASSIGN(std::unique_ptr<File> copy, file_->duplicate());
    return std::unique_ptr<File>(std::make_unique<OpenFile>(disk_, std::move(copy)));
  }

 private:
  const ProcessDisk& disk_;
  std::unique_ptr<File> file_;
};

Result<void> ProcessDisk::begin(Cost cost, const std::string& what) const {
  Schedule& schedule = process_.schedule();
  if (Fiber::current() != nullptr) {
    Duration low = microseconds(2);
    Duration high = microseconds(30);
    if (cost == Cost::kChange) {
      low = microseconds(10);
      high = microseconds(300);
    } else if (cost == Cost::kSync) {
      low = microseconds(500);
      high = milliseconds(12);
    }
    process_.sleep(schedule.between(low, high) * disk_.slowness);
  }
  if (!process_.alive()) {
    return Error{Errc::kIo, what + ": the process was killed", {}};
  }
  if (cost != Cost::kSync && fails()) {
    return Error{Errc::kIo, what + ": Input/output error", {}};
  }
  return {};
}

bool ProcessDisk::fails() const {
  return disk_.failing_one_in > 0 && process_.schedule().random().one_in(disk_.failing_one_in);
}

Result<std::unique_ptr<File>> ProcessDisk::wrap(Result<std::unique_ptr<File>> file) {
  TRY_ASSIGN(std::unique_ptr<File> opened, std::move(file));
  return std::unique_ptr<File>(std::make_unique<OpenFile>(*this, std::move(opened)));
}

Result<void> ProcessDisk::changed(Result<void> result, const std::string& path) {
  if (result.ok()) {
    disk_.name_changed(path);
  }
  return result;
}

Result<std::unique_ptr<File>> ProcessDisk::create(const std::string& path) {
  TRY(begin(Cost::kChange, "create '" + path + "'"));
  return wrap(disk_.memory->create(path));
}

Result<std::unique_ptr<File>> ProcessDisk::open(const std::string& path) {
  TRY(begin(Cost::kLook, "open '" + path + "'"));
  return wrap(disk_.memory->open(path));
}

Result<void> ProcessDisk::link(const std::string& from, const std::string& to) {
  TRY(begin(Cost::kChange, "link '" + to + "'"));
  Result<void> linked = disk_.memory->link(from, to);
  if (disk_.lie == DiskLie::kLinkOverwrites && !linked.ok() &&
      linked.error().code == Errc::kAlreadyExists) {
    TRY(disk_.memory->remove(to));
    linked = disk_.memory->link(from, to);
  }
  return changed(std::move(linked), to);
}

Result<void> ProcessDisk::rename(const std::string& from, const std::string& to) {
  TRY(begin(Cost::kChange, "rename '" + from + "'"));
  TRY(changed(disk_.memory->rename(from, to), to));
  return changed({}, from);
}

Result<void> ProcessDisk::remove(const std::string& path) {
  TRY(begin(Cost::kChange, "remove '" + path + "'"));
  return changed(disk_.memory->remove(path), path);
}

Result<void> ProcessDisk::remove_abandoned(const std::string& path) {
  TRY(begin(Cost::kChange, "remove '" + path + "'"));
  return changed(disk_.memory->remove_abandoned(path), path);
}

Result<void> ProcessDisk::sync_directory(const std::string& path) {
  TRY(begin(Cost::kSync, "fsync directory '" + path + "'"));
  if (disk_.lie == DiskLie::kDirectorySyncDoesNothing) {
    return {};
  }
  if (fails()) {
    return Error{Errc::kIo, "fsync directory '" + path + "': Input/output error", {}};
  }
  return disk_.memory->sync_directory(path);
}

Result<void> ProcessDisk::make_directories(const std::string& path) {
  TRY(begin(Cost::kChange, "make directory '" + path + "'"));
  return disk_.memory->make_directories(path);
}

Result<std::vector<std::string>> ProcessDisk::list(const std::string& path) const {
  TRY(begin(Cost::kLook, "open directory '" + path + "'"));
  return disk_.memory->list(path);
}

Result<void> ProcessDisk::visit_files(const std::string& path, const FileVisitor& visitor) const {
  TRY(begin(Cost::kLook, "open directory '" + path + "'"));
  return disk_.memory->visit_files(path, visitor);
}

Result<FileStat> ProcessDisk::stat(const std::string& path) const {
  TRY(begin(Cost::kLook, "stat '" + path + "'"));
  return disk_.memory->stat(path);
}

Result<std::uint64_t> ProcessDisk::free_bytes(const std::string& path) const {
  TRY(begin(Cost::kLook, "stat file system of '" + path + "'"));
  return disk_.memory->free_bytes(path);
}

}  // namespace pgwalship::sim
