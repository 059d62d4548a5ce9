#include "base/process.h"

#include <cerrno>
#include <csignal>
#include <sys/stat.h>

namespace pgwalship {

bool runs_in(int pid, const std::string& directory) {
  if (::kill(pid, 0) != 0 && errno != EPERM) {
    return false;
  }
  struct stat working {};
  if (::stat(("/proc/" + std::to_string(pid) + "/cwd").c_str(), &working) != 0) {
    return errno != ENOENT;  // a zombie has none; another user's may not be followed
  }
  struct stat wanted {};
  return ::stat(directory.c_str(), &wanted) == 0 && working.st_ino == wanted.st_ino &&
         working.st_dev == wanted.st_dev;
}

}  // namespace pgwalship
