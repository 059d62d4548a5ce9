#include "base/journal.h"

#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace pgwalship {
namespace {

// A larger datagram is refused by the kernel (net.core.wmem_default is about 200 KiB).
constexpr std::size_t kValueBytesMax = std::size_t{32} << 10;

}  // namespace

Bytes journal_datagram(const LogFields& fields) {
  ByteWriter out;
  for (const LogField& field : fields) {
    const std::string_view value = std::string_view(field.value).substr(0, kValueBytesMax);
    out.raw(as_bytes(field.name));
    if (value.find('\n') == std::string_view::npos) {
      out.raw(as_bytes("="));
    } else {
      out.raw(as_bytes("\n"));
      out.u64(value.size());
    }
    out.raw(as_bytes(value));
    out.raw(as_bytes("\n"));
  }
  return out.take();
}

JournalSocket::JournalSocket(std::string path)
    : path_(std::move(path)), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}

bool JournalSocket::send(const LogFields& fields) const {
  sockaddr_un to{};
  if (!socket_.valid() || path_.size() >= sizeof to.sun_path) {
    return false;
  }
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, path_.c_str(), path_.size());
  const Bytes datagram = journal_datagram(fields);
  const auto sent =
      ::sendto(socket_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&to), sizeof to);
  return sent == static_cast<ssize_t>(datagram.size());
}

bool stderr_is_journal(const char* journal_stream) {
  struct stat found {};
  if (journal_stream == nullptr || ::fstat(STDERR_FILENO, &found) != 0) {
    return false;
  }
  return std::to_string(found.st_dev) + ":" + std::to_string(found.st_ino) == journal_stream;
}

}  // namespace pgwalship
