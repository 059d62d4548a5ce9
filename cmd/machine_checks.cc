#include "cmd/machine_checks.h"

#include "base/fd.h"
#include "base/words.h"
#include "cmd/whole_file.h"
#include "wal/archive_layout.h"
#include "wal/archive_store.h"
#include "wal/data_directory.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

namespace pgwalship {
namespace {

Result<struct stat> examine(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) {
    return errno_error("look at '" + path + "'", errno);
  }
  return found;
}

class MachineLines {
 public:
  MachineLines(const Config& config, const ActingUser& user, FileSystem& file_system,
               GzipReader::Engine gzip)
      : config_(config), user_(user), files_(file_system), gzip_(gzip) {}

  MachineChecks run() {
    lines_.ok("user", user_.name);
    check_archive();
    check_compression();
    check_socket();
    check_data_directory();
    if (config_.nodes.size() > 1) {
      check_identity();
      check_known_hosts();
    }
    return {lines_.take(), archive_};
  }

 private:
  // Whether this user may use it; a line when not.
  bool usable_directory(const char* what, const std::string& path, int access,
                        const std::string& hint) {
    const auto found = examine(path);
    if (!found.ok()) {
      lines_.fail(what, found.error().message, hint);
      return false;
    }
    if (!S_ISDIR(found.value().st_mode)) {
      lines_.fail(what, "'" + path + "' is not a directory", hint);
      return false;
    }
    if (::access(path.c_str(), access) != 0) {
      lines_.fail(what, errno_error("use '" + path + "' as " + user_.name, errno).message, hint);
      return false;
    }
    return true;
  }

  void check_archive() {
    const std::string& path = config_.archive.directory;
    if (!usable_directory(
            "archive directory", path, R_OK | W_OK | X_OK,
            "install -d -m 0700 -o " + user_.name + " " + path + "; is its file system mounted?")) {
      return;
    }
    const struct stat found = examine(path).value();
    if (found.st_uid != ::geteuid()) {
      lines_.warn("archive directory", "'" + path + "' belongs to another user than " + user_.name,
                  "pgwalshipd, PostgreSQL and sshd's command must be one user: chown -R " +
                      user_.name + " " + path);
    } else if ((found.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
      lines_.warn("archive directory", "'" + path + "' is open to others",
                  "WAL holds what the database holds: chmod 700 " + path);
    } else {
      lines_.ok("archive directory", path);
    }
    check_state_directory(path, found);
    check_space(path);
    identify_archive();
  }

  // Files come into the archive by link(2).
  void check_state_directory(const std::string& path, const struct stat& archive) {
    for (const std::string& inside :
         {ArchiveLayout(path).state_directory(), ArchiveLayout(path).tmp_directory()}) {
      if (const auto found = examine(inside);
          found.ok() && found.value().st_dev != archive.st_dev) {
        lines_.fail("file system", "'" + inside + "' is on another file system than the archive",
                    "no mount point or link may be in between");
      }
    }
  }

  void check_space(const std::string& path) {
    const Result<std::uint64_t> free = files_.free_bytes(path);
    if (!free.ok()) {
      lines_.fail("free space", free.error());
      return;
    }
    const std::uint64_t minimum = config_.archive.minimum_free_bytes;
    const std::string text = readable_size(free.value());
    if (free.value() < minimum) {
      lines_.fail("free space", text + ", below minimum-free of " + readable_size(minimum),
                  "pushes are refused: make room, or set [retention]");
    } else {
      lines_.ok("free space", text);
    }
  }

  void identify_archive() {
    const ArchiveStore store(files_, {.directory = config_.archive.directory});
    const Result<std::uint64_t> id = store.system_id();
    const Result<std::vector<WalName>> names = store.list();
    if (!id.ok() || !names.ok()) {
      lines_.fail("archive", id.ok() ? names.error() : id.error());
      return;
    }
    archive_.system_id = id.value();
    const auto newest =
        std::find_if(names.value().rbegin(), names.value().rend(),
                     [](const WalName& name) { return name.kind() == WalKind::kSegment; });
    if (newest != names.value().rend()) {
      if (const auto file = store.open(*newest); file.ok() && file.value().facts) {
        archive_.segment_bytes = file.value().facts->segment_bytes;
      }
    }
    lines_.ok("archive", counted(names.value().size(), "file") +
                             (id.value() == 0 ? "" : ", of system " + std::to_string(id.value())));
  }

  void check_compression() {
    if (gzip_ == GzipReader::Engine::kFastest) {
      lines_.ok("compression", "ISA-L");
    } else {
      lines_.warn("compression",
                  "libisal.so.2 cannot be loaded: zlib does its work, several times slower",
                  "apt install libisal2");
    }
  }

  void check_socket() {
    const std::string directory = directory_of(config_.daemon.socket);
    if (!examine(directory).ok()) {
      lines_.warn("socket", "there is no '" + directory + "'",
                  "pgwalshipd.service makes it when it starts; without systemd: install -d -o " +
                      user_.name + " " + directory);
    } else if (usable_directory("socket", directory, R_OK | W_OK | X_OK,
                                "it must belong to the user of pgwalshipd: chown " + user_.name +
                                    " " + directory)) {
      lines_.ok("socket", config_.daemon.socket);
    }
  }

  void check_data_directory() {
    const std::string& path = config_.postgres.data_directory;
    if (path.empty()) {
      lines_.skip("data directory",
                  "[postgres] data-directory is not set: nothing is archived "
                  "from pg_wal after a failover");
      return;
    }
    const std::string hint =
        "name the directory that has PG_VERSION in it, as SHOW "
        "data_directory prints it";
    if (!usable_directory("data directory", path, R_OK | X_OK, hint)) {
      return;
    }
    const DataDirectory data(files_, path);
    const Result<std::uint64_t> id = data.system_id();
    if (!id.ok()) {
      lines_.fail("data directory", id.error().message, hint);
    } else if (archive_.system_id != 0 && id.value() != archive_.system_id) {
      lines_.fail("data directory",
                  "its system identifier is " + std::to_string(id.value()) + ", the archive's is " +
                      std::to_string(archive_.system_id),
                  "give this cluster an archive of its own ([archive] directory)");
    } else {
      archive_.system_id = id.value();
      lines_.ok("data directory", path);
    }
  }

  void check_identity() {
    const std::string& path = config_.ssh.identity;
    const auto found = examine(path);
    if (!found.ok()) {
      lines_.fail("key", found.error().message, "pgwalship keys create");
    } else if (::access(path.c_str(), R_OK) != 0) {
      lines_.fail("key", errno_error("read '" + path + "' as " + user_.name, errno).message,
                  "chown " + user_.name + " " + path);
    } else if ((found.value().st_mode & (S_IRWXG | S_IRWXO)) != 0) {
      lines_.fail("key", "'" + path + "' is open to others", "chmod 600 " + path);
    } else {
      lines_.ok("key", path);
    }
  }

  void check_known_hosts() {
    const std::string& path = config_.ssh.known_hosts;
    if (::access(path.c_str(), R_OK) != 0) {
      lines_.fail("known hosts", errno_error("read '" + path + "'", errno).message,
                  "pgwalship keys pin");
    } else {
      lines_.ok("known hosts", path);
    }
  }

  const Config& config_;
  const ActingUser& user_;
  FileSystem& files_;
  const GzipReader::Engine gzip_;
  CheckLines lines_{"this node"};
  ArchiveIdentity archive_;
};

}  // namespace

MachineChecks machine_checks(const Config& config, const ActingUser& user, FileSystem& file_system,
                             GzipReader::Engine gzip) {
  return MachineLines(config, user, file_system, gzip).run();
}

}  // namespace pgwalship
