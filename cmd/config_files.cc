#include "base/fd.h"
#include "cmd/config.h"
#include "cmd/config_problems.h"

#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

namespace pgwalship {
namespace {

Error invalid(std::string what, std::string hint) {
  return Error{Errc::kInvalid, std::move(what), std::move(hint)};
}

// What may not be used need not be made: there is a hint of its own for that.
Error invalid(const Error& error, const std::string& hint) {
  return invalid(error.message, error.hint.empty() ? hint : error.hint);
}

Result<struct stat> examine(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) {
    return errno_error("look at '" + path + "'", errno);
  }
  return found;
}

Result<void> check_directory(const std::string& path, const std::string& hint) {
  const auto found = examine(path);
  if (!found.ok()) {
    return invalid(found.error(), hint);
  }
  if (!S_ISDIR(found.value().st_mode)) {
    return invalid("'" + path + "' is not a directory", hint);
  }
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
    return invalid(errno_error("use '" + path + "'", errno), hint);
  }
  return {};
}

Result<void> check_readable(const std::string& path, const std::string& hint) {
  const auto found = examine(path);
  if (!found.ok()) {
    return invalid(found.error(), hint);
  }
  if (!S_ISREG(found.value().st_mode)) {
    return invalid("'" + path + "' is not a file", hint);
  }
  if (::access(path.c_str(), R_OK) != 0) {
    return invalid(errno_error("read '" + path + "'", errno), hint);
  }
  return {};
}

Result<void> check_identity(const std::string& path) {
  TRY(check_readable(path, "make one: pgwalship keys create"));
  TRY_ASSIGN(const struct stat found, examine(path));
  if ((found.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return invalid("'" + path + "' is open to others", "chmod 600 " + path);
  }
  return {};
}

class FileChecks {
 public:
  explicit FileChecks(const Config& config) : config_(config), problems_(config.path) {}

  void note(std::string_view where, const Result<void>& result) {
    if (!result.ok()) {
      const auto line = config_.lines.find(where);
      problems_.add(line == config_.lines.end() ? 1 : line->second, where, result.error());
    }
  }

  Result<void> result() const { return problems_.result(); }

 private:
  const Config& config_;
  ConfigProblems problems_;
};

}  // namespace

Result<void> check_files(const Config& config) {
  FileChecks checks(config);
  // Not created on demand: below the mount point of a disk that is not mounted it would be the
  // wrong one.
  checks.note("[archive] directory",
              check_directory(config.archive.directory,
                              "create it for the user that runs pgwalshipd, mode 0700; is its "
                              "file system mounted?"));
  const auto slash = config.daemon.socket.rfind('/');
  const std::string socket_directory = slash == 0 ? "/" : config.daemon.socket.substr(0, slash);
  checks.note("[daemon] socket",
              check_directory(socket_directory,
                              "the directory must exist and belong to the user that runs "
                              "pgwalshipd"));
  if (config.nodes.size() > 1) {
    checks.note("[ssh] identity", check_identity(config.ssh.identity));
    checks.note("[ssh] known-hosts",
                check_readable(config.ssh.known_hosts, "pin the host keys: pgwalship keys pin"));
  }
  return checks.result();
}

}  // namespace pgwalship
