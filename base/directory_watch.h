// Tells which names of one directory may have changed, by any process: inotify(7). A hint, never a
// fact: what a name stands for is what a look at it says. Changes on other machines of a network
// file system are not seen. The only file that includes <sys/inotify.h>. One thread, but for
// renew().
#pragma once

#include "base/fd.h"
#include "base/result.h"

#include <string>
#include <vector>

namespace pgwalship {

// What a watch says, however it comes to know: the simulator has one over its disks.
class NameWatch {
 public:
  struct Changes {
    // Created, linked, moved in or away, removed, or closed after writing; each at least once.
    std::vector<std::string> names;
    // Events were lost (too many at once), or the directory itself has gone: look at everything.
    bool rescan = false;
  };

  virtual ~NameWatch() = default;
  // Readable while changes wait.
  virtual int fd() const = 0;
  // All changes that were made before the call; does not wait.
  virtual Changes take() = 0;
  // Whether the path still names the watched directory. When it names another one (the old was
  // removed, or something was mounted or unmounted there), that is watched from now on.
  // Any thread, one at a time.
  enum class Renewed { kSame, kOther };
  virtual Result<Renewed> renew() = 0;
};

class DirectoryWatch final : public NameWatch {
 public:
  // Changes that are made after it returns are reported. kIo with a hint when the limits of
  // inotify are reached.
  static Result<DirectoryWatch> open(const std::string& directory);

  int fd() const override { return fd_.get(); }
  Changes take() override;
  Result<Renewed> renew() override;

 private:
  DirectoryWatch(Fd fd, std::string directory, int watch)
      : fd_(std::move(fd)), directory_(std::move(directory)), watch_(watch) {}

  Fd fd_;
  std::string directory_;
  int watch_;  // renew() alone uses it
};

}  // namespace pgwalship
