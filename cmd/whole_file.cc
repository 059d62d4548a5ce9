#include "cmd/whole_file.h"

#include "base/fd.h"

#include <cerrno>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>

namespace pgwalship {
namespace {

constexpr std::size_t kBytesMax = 1 << 20;  // a person wrote it, or could have

std::string temporary_name(const std::string& path) {
  return path + ".pgwalship-tmp." + std::to_string(::getpid());
}

// Takes a temporary file away, whatever became of it.
class Temporary {
 public:
  Temporary(FileSystem& file_system, std::string path)
      : file_system_(file_system), path_(std::move(path)) {}
  ~Temporary() { std::ignore = file_system_.remove(path_); }  // renamed: there is none
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  Result<void> write(const WholeFile& file) {
    std::ignore = file_system_.remove(path_);  // of a dead process with our number
    TRY_ASSIGN(const auto made, file_system_.create(path_));
    if (::chmod(path_.c_str(), file.mode) != 0) {
      return errno_error("set the mode of '" + path_ + "'", errno);
    }
    TRY(made->write_at(0, as_bytes(file.text)));
    return made->sync();
  }
  const std::string& path() const { return path_; }

 private:
  FileSystem& file_system_;
  const std::string path_;
};

}  // namespace

Result<void> write_new_file(FileSystem& file_system, const WholeFile& file) {
  Temporary temporary(file_system, temporary_name(file.path));
  TRY(temporary.write(file));
  TRY(file_system.link(temporary.path(), file.path));
  return file_system.sync_directory(directory_of(file.path));
}

Result<void> replace_file(FileSystem& file_system, const WholeFile& file) {
  Temporary temporary(file_system, temporary_name(file.path));
  TRY(temporary.write(file));
  TRY(file_system.rename(temporary.path(), file.path));
  return file_system.sync_directory(directory_of(file.path));
}

Result<std::string> read_whole_file(FileSystem& file_system, const std::string& path) {
  TRY_ASSIGN(const auto file, file_system.open(path));
  TRY_ASSIGN(const FileStat stat, file->stat());
  if (stat.size > kBytesMax) {
    return Error{Errc::kInvalid, "'" + path + "' is larger than such a file can be", ""};
  }
  Bytes content(static_cast<std::size_t>(stat.size));
  TRY_ASSIGN(const std::size_t got, file->read_at(0, content));
  content.resize(got);
  return std::string(as_text(content));
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace pgwalship
