#include "cmd/acting_user.h"

#include "base/fd.h"

#include <cerrno>
#include <cstdlib>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>
#include <vector>

namespace pgwalship {
namespace {

constexpr std::size_t kEntryBytes = 16'384;

struct Entry {
  ActingUser user;
  uid_t uid = 0;
  gid_t gid = 0;
};

template <typename Find>
Result<Entry> look_up(const std::string& who, Find find) {
  std::vector<char> buffer(kEntryBytes);
  passwd entry{};
  passwd* found = nullptr;
  if (find(&entry, buffer, &found) != 0 || found == nullptr) {
    return Error{Errc::kInvalid, "there is no user " + who, ""};
  }
  return Entry{{found->pw_name, found->pw_dir}, found->pw_uid, found->pw_gid};
}

Result<Entry> user_of(uid_t uid) {
  return look_up(std::to_string(uid),
                 [&](passwd* entry, std::vector<char>& buffer, passwd** found) {
                   return ::getpwuid_r(uid, entry, buffer.data(), buffer.size(), found);
                 });
}

Result<Entry> user_called(const std::string& name) {
  return look_up("'" + name + "'", [&](passwd* entry, std::vector<char>& buffer, passwd** found) {
    return ::getpwnam_r(name.c_str(), entry, buffer.data(), buffer.size(), found);
  });
}

enum class Return { kNever, kPossible };

// access(2) goes by the real user, files are made as the effective one: both change.
Result<ActingUser> become(const Entry& entry, Return back) {
  const uid_t saved = back == Return::kPossible ? 0 : entry.uid;
  const gid_t saved_group = back == Return::kPossible ? 0 : entry.gid;
  if (entry.uid != 0 && (::initgroups(entry.user.name.c_str(), entry.gid) != 0 ||
                         ::setresgid(entry.gid, entry.gid, saved_group) != 0 ||
                         ::setresuid(entry.uid, entry.uid, saved) != 0)) {
    return errno_error("become the user '" + entry.user.name + "'", errno);
  }
  if (back == Return::kNever) {  // libpq finds the password file there, as it does for the daemon
    ::setenv("HOME", entry.user.home.c_str(), 1);
  }
  return entry.user;
}

}  // namespace

Result<ActingUser> current_acting_user() {
  TRY_ASSIGN(const Entry entry, user_of(::geteuid()));
  return entry.user;
}

Result<ActingUser> become_daemon_user(const Config& config) {
  if (::geteuid() != 0) {
    return current_acting_user();
  }
  // Root's archive directory is a mount point without its file system, or somebody's mistake, when
  // the server's data directory is another user's.
  struct stat found {};
  struct stat server {};
  const std::string& data = config.postgres.data_directory;
  const bool is_there = ::stat(config.archive.directory.c_str(), &found) == 0;
  if (is_there && found.st_uid == 0 && !data.empty() && ::stat(data.c_str(), &server) == 0) {
    found.st_uid = server.st_uid;
  }
  if (is_there) {
    TRY_ASSIGN(const Entry owner, user_of(found.st_uid));
    return become(owner, Return::kNever);
  }
  const Result<Entry> named = user_called(config.ssh.user);
  if (config.lines.contains("[ssh] user") && named.ok()) {
    return become(named.value(), Return::kNever);
  }
  return Error{Errc::kInvalid,
               "run by root, and there is no '" + config.archive.directory +
                   "' whose owner would tell which user the daemon is",
               "make the archive directory first, as that user, or run this as that user: sudo -u "
               "postgres pgwalship ..."};
}

Result<ActingUser> become_owner_of(const std::string& directory) {
  if (::geteuid() != 0) {
    return current_acting_user();
  }
  struct stat found {};
  if (::stat(directory.c_str(), &found) != 0) {
    return errno_error("look at '" + directory + "'", errno);
  }
  TRY_ASSIGN(const Entry owner, user_of(found.st_uid));
  return become(owner, Return::kPossible);
}

void root_again() {
  if (::setresuid(0, 0, 0) == 0) {
    std::ignore = ::setresgid(0, 0, 0);
  }
}

}  // namespace pgwalship
