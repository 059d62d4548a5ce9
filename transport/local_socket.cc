#include "transport/local_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <tuple>
#include <unistd.h>

namespace pgwalship {
namespace {

constexpr int kBacklog = 128;
constexpr std::size_t kReadBytes = std::size_t{64} << 10;
// One call must not keep the loop from its other clients.
constexpr int kReadsMax = 4;
constexpr const char* kStartHint = "start pgwalshipd, or check [daemon] socket";
constexpr const char* kStuckHint =
    "see the log of pgwalshipd; it may be stopped, or its disk may not answer";
constexpr const char* kGoneHint = "see the log of pgwalshipd: it ended, or refused this connection";

// What bind(2) creates would be open to others for a moment if its mode were changed afterwards.
class OwnerOnlyUmask {
 public:
  OwnerOnlyUmask() : previous_(::umask(0177)) {}
  ~OwnerOnlyUmask() { ::umask(previous_); }
  OwnerOnlyUmask(const OwnerOnlyUmask&) = delete;
  OwnerOnlyUmask& operator=(const OwnerOnlyUmask&) = delete;

 private:
  mode_t previous_;
};

Error with_hint(Error error, std::string_view hint) {
  error.hint = hint;
  return error;
}

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error{Errc::kInvalid,
                 "'" + path + "' cannot be the name of a socket: it has " +
                     std::to_string(path.size()) + " characters",
                 "[daemon] socket must have 1 to " + std::to_string(sizeof address.sun_path - 1)};
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

Result<Fd> take_lock(const std::string& path) {
  const std::string lock_path = path + ".lock";
  Fd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.valid()) {
    return with_hint(errno_error("open '" + lock_path + "'", errno),
                     "the directory of [daemon] socket must exist and belong to the daemon's user");
  }
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) {
    return lock;
  }
  if (errno != EWOULDBLOCK) {
    return errno_error("lock '" + lock_path + "'", errno);
  }
  return Error{Errc::kAlreadyExists,
               "another pgwalshipd serves '" + path + "': it holds '" + lock_path + "'",
               "stop it first, or give this one a [daemon] socket of its own"};
}

// REQUIRES: the lock is held, so that a socket of this name is a dead daemon's.
Result<void> remove_stale_socket(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    return errno == ENOENT ? Result<void>() : errno_error("stat '" + path + "'", errno);
  }
  if (!S_ISSOCK(found.st_mode)) {
    return Error{Errc::kInvalid, "'" + path + "' is there and is not a socket",
                 "[daemon] socket must name a path that nothing else uses"};
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return errno_error("remove stale socket '" + path + "'", errno);
  }
  return {};
}

// Into `decoder`. Nothing: there is nothing now. 0: the stream has ended.
Result<std::optional<std::size_t>> read_into(FrameDecoder& decoder, int fd) {
  std::array<std::byte, kReadBytes> bytes;
  while (true) {
    const ssize_t got = ::read(fd, bytes.data(), bytes.size());
    if (got >= 0) {
      const auto size = static_cast<std::size_t>(got);
      decoder.feed(ByteView(bytes).first(size));
      return std::optional(size);
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return std::optional<std::size_t>();
    }
    if (errno == ECONNRESET) {
      return std::optional<std::size_t>(0);  // it closed with our bytes unread
    }
    if (errno != EINTR) {
      return errno_error("read from the other side", errno);
    }
  }
}

// The bytes that were taken; 0 when none are now. A side that has gone gives EPIPE, not SIGPIPE;
// for a pipe that needs SIGPIPE to be ignored by the process.
Result<std::size_t> write_from(ByteView bytes, int fd) {
  while (true) {
    ssize_t put = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0 && errno == ENOTSOCK) {
      put = ::write(fd, bytes.data(), bytes.size());
    }
    if (put >= 0) {
      return static_cast<std::size_t>(put);
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return std::size_t{0};
    }
    if (errno != EINTR) {
      return errno_error("write to the other side", errno);
    }
  }
}

Result<std::optional<Message>> next_message(FrameDecoder& decoder) {
  while (true) {
    TRY_ASSIGN(const std::optional<Frame> frame, decoder.next());
    if (!frame) {
      return std::optional<Message>();
    }
    TRY_ASSIGN(std::optional<Message> message, decode(*frame));
    if (message) {
      return message;
    }
  }
}

// Milliseconds for poll(2), rounded up so that nothing spins at the end.
int poll_timeout(TimePoint now, TimePoint deadline) {
  if (deadline == kNever) {
    return -1;
  }
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(1);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
  return static_cast<int>(std::clamp(left, std::chrono::milliseconds(0), kLongest).count());
}

// Waits, until the deadline, for a place in the listener's queue: only a blocking connect(2) can.
Result<void> connect_socket(int fd, const sockaddr_un& address, const Clock& clock,
                            TimePoint deadline) {
  const int left = poll_timeout(clock.now(), deadline);
  const timeval limit{left < 0 ? 0 : left / 1000, left < 0 ? 0 : std::max(left % 1000, 1) * 1000};
  if (::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0) {
    return errno_error("set a timeout", errno);
  }
  int error_number = 0;
  do {
    error_number = ::connect(fd, generic(address), sizeof address) == 0 ? 0 : errno;
  } while (error_number == EINTR);
  if (error_number == 0) {
    if (::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
      return errno_error("make a socket non-blocking", errno);
    }
    return {};
  }
  Error error = errno_error("connect '" + std::string(address.sun_path) + "'", error_number);
  if (error_number == EAGAIN) {
    return Error{Errc::kRetry, error.message, kStuckHint};
  }
  if (error_number == EACCES) {
    return with_hint(std::move(error), "run this as the user that pgwalshipd runs as, or as root");
  }
  if (error.code == Errc::kNotFound) {
    error.code = Errc::kRetry;  // the daemon does not run yet
  }
  return with_hint(std::move(error), kStartHint);
}

}  // namespace

LocalListener::LocalListener(std::string path, Fd lock, Fd socket)
    : path_(std::move(path)), lock_(std::move(lock)), socket_(std::move(socket)) {}

LocalListener::~LocalListener() {
  ::unlink(path_.c_str());  // what stays is replaced by the next daemon
}

Result<std::unique_ptr<LocalListener>> LocalListener::listen(const std::string& path) {
  TRY_ASSIGN(const sockaddr_un address, address_of(path));
  TRY_ASSIGN(Fd lock, take_lock(path));
  TRY(remove_stale_socket(path));
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) {
    return errno_error("create a unix socket", errno);
  }
  {
    const OwnerOnlyUmask umask;
    if (::bind(socket.get(), generic(address), sizeof address) != 0) {
      return errno_error("bind '" + path + "'", errno);
    }
  }
  // From here on the destructor removes the socket.
  std::unique_ptr<LocalListener> listener(
      new LocalListener(path, std::move(lock), std::move(socket)));
  if (::listen(listener->fd(), kBacklog) != 0) {
    return errno_error("listen on '" + path + "'", errno);
  }
  return listener;
}

Result<std::optional<Fd>> LocalListener::accept() {
  Fd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!client.valid()) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ECONNABORTED) {
      return std::optional<Fd>();
    }
    return errno_error("accept on '" + path_ + "'", errno);
  }
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(client.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return errno_error("ask who connected to '" + path_ + "'", errno);
  }
  if (peer.uid != ::geteuid() && peer.uid != 0) {
    return Error{Errc::kInvalid,
                 "turned away process " + std::to_string(peer.pid) + " of user id " +
                     std::to_string(peer.uid) + " at '" + path_ + "'",
                 "only user id " + std::to_string(::geteuid()) + " and root may use this daemon"};
  }
  return std::optional(std::move(client));
}

Result<bool> MessageStream::receive() {
  for (int reads = 0; reads < kReadsMax; ++reads) {
    TRY_ASSIGN(const std::optional<std::size_t> size, read_into(decoder_, in_));
    if (!size) {
      return true;
    }
    if (*size == 0) {
      return reads > 0;  // what came before the end first; the next call finds the end again
    }
    if (*size < kReadBytes) {
      return true;
    }
  }
  return true;
}

Result<std::optional<Message>> MessageStream::next() {
  return next_message(decoder_);
}

void MessageStream::send(const Message& message) {
  encode(message, output_);
}

Result<void> MessageStream::flush() {
  while (has_output()) {
    TRY_ASSIGN(const std::size_t taken, write_from(ByteView(output_).subspan(sent_), out_));
    if (taken == 0) {
      break;
    }
    sent_ += taken;
  }
  if (sent_ == output_.size() || sent_ >= kOutputMax) {
    output_.erase(output_.begin(), output_.begin() + static_cast<std::ptrdiff_t>(sent_));
    sent_ = 0;
  }
  return {};
}

bool MessageStream::wants_output() const {
  return output_.size() - sent_ < kOutputMax;
}

void leave_hint(const std::string& socket_path, const Hello& mine, const Message& hint) {
  const Result<sockaddr_un> address = address_of(socket_path);
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!address.ok() || !socket.valid() ||
      ::connect(socket.get(), generic(address.value()), sizeof(sockaddr_un)) != 0) {
    return;
  }
  Bytes bytes;
  encode(mine, bytes);
  encode(hint, bytes);
  std::ignore = write_from(bytes, socket.get());  // both are far below a socket's buffer
}

Result<std::unique_ptr<DaemonClient>> DaemonClient::connect(const std::string& socket_path,
                                                            const Hello& mine, const Clock& clock,
                                                            TimePoint deadline,
                                                            const std::optional<Message>& first) {
  TRY_ASSIGN(const sockaddr_un address, address_of(socket_path));
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) {
    return errno_error("create a unix socket", errno);
  }
  TRY(connect_socket(socket.get(), address, clock, deadline));
  std::unique_ptr<DaemonClient> client(new DaemonClient(clock, std::move(socket)));
  if (const auto greeted = client->greet(mine, first, deadline); !greeted.ok()) {
    if (greeted.error().code != Errc::kTimeout) {
      return greeted.error();
    }
    return Error{Errc::kRetry, "pgwalshipd does not answer on '" + socket_path + "'", kStuckHint};
  }
  return client;
}

Result<void> DaemonClient::greet(const Hello& mine, const std::optional<Message>& first,
                                 TimePoint deadline) {
  Bytes bytes;
  encode(mine, bytes);
  if (first) {
    encode(*first, bytes);
  }
  // A daemon that closed before it read our greeting may still have said something first.
  if (const auto sent = send_all(bytes, deadline); !sent.ok() && ready_.empty()) {
    return sent.error();
  }
  TRY_ASSIGN(Message answer, receive(deadline));
  Hello* theirs = std::get_if<Hello>(&answer);
  if (theirs == nullptr) {
    return Error{Errc::kProtocol, "the daemon's first message is not Hello", {}};
  }
  if (const auto version = check_hello(mine, *theirs); !version.ok()) {
    return version.error();
  }
  theirs_ = std::move(*theirs);
  return {};
}

Result<void> DaemonClient::send(const Message& message, TimePoint deadline) {
  Bytes bytes;
  encode(message, bytes);
  return send_all(bytes, deadline);
}

Result<void> DaemonClient::send_all(ByteView bytes, TimePoint deadline) {
  for (ByteView rest = bytes; !rest.empty();) {
    const Result<std::size_t> taken = write_from(rest, socket_.get());
    if (!taken.ok()) {
      return reason_of_end();
    }
    if (taken.value() == 0) {
      TRY(wait(POLLOUT, deadline));
    }
    rest = rest.subspan(taken.value());
  }
  return {};
}

Result<Message> DaemonClient::receive(TimePoint deadline) {
  while (true) {
    TRY_ASSIGN(const bool arrived, has_message());
    if (arrived) {
      break;
    }
    TRY(wait(POLLIN, deadline));
  }
  Message message = std::move(ready_.front());
  ready_.pop_front();
  if (const auto* failure = std::get_if<Failure>(&message)) {
    return failure->error;
  }
  return message;
}

Result<bool> DaemonClient::has_message() {
  while (ready_.empty()) {
    TRY_ASSIGN(const std::optional<std::size_t> size, read_into(decoder_, socket_.get()));
    if (!size) {
      return false;
    }
    if (*size == 0) {
      return Error{Errc::kRetry, "pgwalshipd closed the connection", kGoneHint};
    }
    TRY(decode_what_came());
  }
  return true;
}

Result<void> DaemonClient::decode_what_came() {
  while (true) {
    TRY_ASSIGN(std::optional<Message> message, next_message(decoder_));
    if (!message) {
      return {};
    }
    ready_.push_back(std::move(*message));
  }
}

// The daemon may have said why before it closed; what else it said stays ready.
Error DaemonClient::reason_of_end() {
  while (true) {
    const auto size = read_into(decoder_, socket_.get());
    if (const auto decoded = decode_what_came(); !decoded.ok()) {
      return decoded.error();
    }
    if (!size.ok() || size.value().value_or(0) == 0) {
      break;
    }
  }
  if (!ready_.empty()) {
    if (const auto* failure = std::get_if<Failure>(&ready_.back())) {
      return failure->error;
    }
  }
  return Error{Errc::kRetry, "pgwalshipd closed the connection", kGoneHint};
}

Result<void> DaemonClient::wait(short events, TimePoint deadline) {
  while (true) {
    const TimePoint now = clock_.now();
    if (now >= deadline) {
      return Error{Errc::kTimeout, "no answer from pgwalshipd in time", kStuckHint};
    }
    pollfd waiting{socket_.get(), events, 0};
    const int ready = ::poll(&waiting, 1, poll_timeout(now, deadline));
    if (ready > 0) {
      return {};
    }
    if (ready < 0 && errno != EINTR) {
      return errno_error("wait for pgwalshipd", errno);
    }
  }
}

}  // namespace pgwalship
