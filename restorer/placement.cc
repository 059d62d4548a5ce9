#include "restorer/placement.h"

#include "wal/segment_header.h"

#include <algorithm>
#include <csignal>
#include <tuple>

namespace pgwalship {
namespace {

using Outcome = PlacementResult::Outcome;

// Holds back the signals that end a process, from before a temporary file exists until after it is
// gone. A signal that came meanwhile acts when this object goes.
class SignalsHeldBack {
 public:
  SignalsHeldBack() {
    sigemptyset(&held_);
    for (const int signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP}) {
      sigaddset(&held_, signal);
    }
    pthread_sigmask(SIG_BLOCK, &held_, &before_);
  }
  ~SignalsHeldBack() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeldBack(const SignalsHeldBack&) = delete;
  SignalsHeldBack& operator=(const SignalsHeldBack&) = delete;

  bool came() const {
    sigset_t pending;
    sigset_t both;
    sigpending(&pending);
    sigandset(&both, &pending, &held_);
    return sigisemptyset(&both) == 0;
  }

 private:
  sigset_t held_{};
  sigset_t before_{};
};

// The file on its way; removed unless it was moved into place.
class Temporary {
 public:
  static Result<Temporary> create(FileSystem& file_system, const std::string& destination) {
    const std::string path = destination + ".pgwalship";
    Result<std::unique_ptr<File>> file = file_system.create(path);
    if (!file.ok() && file.error().code == Errc::kAlreadyExists) {
      const Result<void> removed = file_system.remove_abandoned(path);
      if (!removed.ok() && removed.error().code != Errc::kNotFound) {
        return Error{Errc::kRetry, removed.error().message,
                     "another pgwalship fetch is writing to the same place"};
      }
      file = file_system.create(path);
    }
    if (!file.ok()) {
      return file.error();
    }
    return Temporary(file_system, path, std::move(file).value());
  }

  Temporary(Temporary&& other) noexcept = default;
  Temporary& operator=(Temporary&& other) = delete;
  ~Temporary() {
    if (file_ != nullptr) {
      std::ignore = file_system_.remove(path_);  // the next fetch to this place removes it
    }
  }

  Result<void> append(ByteView data) {
    TRY(file_->write_at(size_, data));
    size_ += data.size();
    return {};
  }

  // PostgreSQL makes what it restores durable itself.
  Result<void> move_to(const std::string& destination) {
    TRY(file_system_.rename(path_, destination));
    file_.reset();
    return {};
  }

 private:
  Temporary(FileSystem& file_system, std::string path, std::unique_ptr<File> file)
      : file_system_(file_system), path_(std::move(path)), file_(std::move(file)) {}

  FileSystem& file_system_;
  std::string path_;
  std::unique_ptr<File> file_;
  std::uint64_t size_ = 0;
};

Result<void> check_content(const WalName& name, ByteView start, std::uint64_t raw_bytes) {
  if (!name.is_wal()) {
    return {};
  }
  TRY_ASSIGN(const SegmentHeader header, parse_segment_header(start));
  return check_segment(name, header, raw_bytes);
}

PlacementResult archive_failure(const Error& error) {
  switch (error.code) {
    case Errc::kNotFound:
      return {Outcome::kMissing, error};
    case Errc::kCorrupt:
    case Errc::kInvalid:
      return {Outcome::kCorrupt, error};
    case Errc::kAlreadyExists:
    case Errc::kConflict:
    case Errc::kRetry:
    case Errc::kTimeout:
    case Errc::kProtocol:
    case Errc::kNoSpace:
    case Errc::kIo:
      return {Outcome::kUnreadable, error};
  }
  return {Outcome::kUnreadable, error};
}

}  // namespace

PlacementResult place_from_archive(FileSystem& file_system, const ArchiveStore& store,
                                   const Clock& clock, const Placement& placement) {
  // PostgreSQL asks again and again for what is not there yet: nothing is created for that.
  if (const auto there = store.open(placement.name); !there.ok()) {
    return archive_failure(there.error());
  }
  const SignalsHeldBack signals;
  Result<Temporary> temporary = Temporary::create(file_system, placement.destination);
  if (!temporary.ok()) {
    return {Outcome::kFailed, temporary.error()};
  }
  Bytes start;
  Result<void> written;
  const auto write = [&](ByteView raw) -> Result<void> {
    const std::size_t missing = std::min(kLongPageHeaderBytes - start.size(), raw.size());
    start.insert(start.end(), raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(missing));
    if (signals.came()) {
      written = Error{Errc::kRetry, "ended by a signal", ""};
    } else if (clock.now() >= placement.deadline) {
      written = Error{Errc::kTimeout, "no time was left to write it", ""};
    } else {
      written = temporary.value().append(raw);
    }
    return written;
  };
  const Result<FileFacts> facts = store.read_raw(placement.name, write);
  if (!written.ok()) {
    return {Outcome::kFailed, written.error()};
  }
  if (!facts.ok()) {
    return archive_failure(facts.error());
  }
  if (const auto fits = check_content(placement.name, start, facts.value().raw_bytes); !fits.ok()) {
    return {Outcome::kCorrupt, fits.error()};
  }
  if (signals.came()) {
    return {Outcome::kFailed, Error{Errc::kRetry, "ended by a signal", ""}};
  }
  if (const auto moved = temporary.value().move_to(placement.destination); !moved.ok()) {
    return {Outcome::kFailed, moved.error()};
  }
  return {};
}

}  // namespace pgwalship
