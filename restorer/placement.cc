#include "restorer/placement.h"

#include "wal/digest.h"
#include "wal/segment_header.h"

#include <algorithm>
#include <csignal>
#include <functional>
#include <optional>
#include <tuple>
#include <utility>

namespace pgwalship {
namespace {

using Outcome = PlacementResult::Outcome;

constexpr const char* kRawSuffix = ".pgwalship";
constexpr std::size_t kCopyBytes = std::size_t{256} << 10;
constexpr const char* kCopySuffix = ".pgwalship-gz";

Error ended_by_signal() {
  return Error{Errc::kRetry, "ended by a signal", ""};
}

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
  static Result<Temporary> create(FileSystem& file_system, const std::string& path) {
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

  const File& file() const { return *file_; }

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
      return {Outcome::kMissing, error, 0};
    case Errc::kCorrupt:
    case Errc::kInvalid:
      return {Outcome::kCorrupt, error, 0};
    case Errc::kAlreadyExists:
    case Errc::kConflict:
    case Errc::kRetry:
    case Errc::kTimeout:
    case Errc::kProtocol:
    case Errc::kNoSpace:
    case Errc::kIo:
      return {Outcome::kUnreadable, error, 0};
  }
  return {Outcome::kUnreadable, error, 0};
}

// Writes what `read` hands out beside the destination, and moves it there when it is verified.
PlacementResult write_and_move(FileSystem& file_system, const Clock& clock,
                               const Placement& placement, const SignalsHeldBack& signals,
                               const std::function<Result<FileFacts>(const RawSink&)>& read) {
  Result<Temporary> temporary = Temporary::create(file_system, placement.destination + kRawSuffix);
  if (!temporary.ok()) {
    return {Outcome::kFailed, temporary.error(), 0};
  }
  Bytes start;
  Result<void> written;
  const auto write = [&](ByteView raw) -> Result<void> {
    const std::size_t missing = std::min(kLongPageHeaderBytes - start.size(), raw.size());
    start.insert(start.end(), raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(missing));
    if (signals.came()) {
      written = ended_by_signal();
    } else if (clock.now() >= placement.deadline) {
      written = Error{Errc::kTimeout, "no time was left to write it", ""};
    } else {
      written = temporary.value().append(raw);
    }
    return written;
  };
  const Result<FileFacts> facts = read(write);
  if (!written.ok()) {
    return {Outcome::kFailed, written.error(), 0};
  }
  if (!facts.ok()) {
    return archive_failure(facts.error());
  }
  if (const auto fits = check_content(placement.name, start, facts.value().raw_bytes); !fits.ok()) {
    return {Outcome::kCorrupt, fits.error(), 0};
  }
  if (signals.came()) {
    return {Outcome::kFailed, ended_by_signal(), 0};
  }
  if (const auto moved = temporary.value().move_to(placement.destination); !moved.ok()) {
    return {Outcome::kFailed, moved.error(), 0};
  }
  return {Outcome::kPlaced, {}, facts.value().raw_bytes};
}

Result<FileFacts> read_spooled(const File& file, const FileFacts& facts, const RawSink& sink) {
  Bytes piece(kCopyBytes);
  Sha256Hasher hasher;
  FileFacts found = facts;
  for (found.raw_bytes = 0;;) {
    TRY_ASSIGN(const std::size_t size, file.read_at(found.raw_bytes, piece));
    if (size == 0) {
      break;
    }
    const ByteView read = ByteView(piece).first(size);
    hasher.update(read);
    found.raw_bytes += size;
    TRY(sink(read));
  }
  if (found.raw_bytes != facts.raw_bytes || hasher.finish() != facts.sha256) {
    return Error{Errc::kCorrupt, "it is not what was unpacked", ""};
  }
  return facts;
}

// False: nothing was placed, and the archive's own file is there for that.
bool take_from_spool(FileSystem& file_system, const Spool& spool, const Clock& clock,
                     const Placement& placement, const SignalsHeldBack& signals,
                     const FileFacts& facts) {
  const auto found = spool.find(placement.name, facts, clock.wall());
  if (!found || signals.came() || clock.now() >= placement.deadline) {
    return false;
  }
  if (file_system.rename(found->path, placement.destination).ok()) {
    return true;
  }
  // It cannot be moved there: another file system, or another mount of it.
  const auto copied =
      write_and_move(file_system, clock, placement, signals,
                     [&](const RawSink& sink) { return read_spooled(*found->file, facts, sink); });
  return copied.outcome == Outcome::kPlaced;
}

}  // namespace

PlacementResult place_from_archive(FileSystem& file_system, const ArchiveStore& store,
                                   const Spool& spool, const Clock& clock,
                                   const Placement& placement) {
  // PostgreSQL asks again and again for what is not there yet: nothing is created for that.
  const auto there = store.open(placement.name);
  if (!there.ok()) {
    return archive_failure(there.error());
  }
  const SignalsHeldBack signals;
  if (const auto& facts = there.value().facts;
      facts && take_from_spool(file_system, spool, clock, placement, signals, *facts)) {
    return {Outcome::kPlaced, {}, facts->raw_bytes};
  }
  return write_and_move(file_system, clock, placement, signals,
                        [&](const RawSink& sink) { return store.read_raw(placement.name, sink); });
}

struct StreamedPlacement::State {
  State(FileSystem& fs, const Clock& clk, Placement where)
      : file_system(fs), clock(clk), placement(std::move(where)) {}

  const SignalsHeldBack signals;
  FileSystem& file_system;
  const Clock& clock;
  const Placement placement;
  std::optional<Temporary> copy;
};

StreamedPlacement::StreamedPlacement(FileSystem& file_system, const Clock& clock,
                                     Placement placement)
    : state_(std::make_unique<State>(file_system, clock, std::move(placement))) {}

StreamedPlacement::~StreamedPlacement() = default;

Result<void> StreamedPlacement::begin() {
  state_->copy.reset();
  TRY_ASSIGN(Temporary copy,
             Temporary::create(state_->file_system, state_->placement.destination + kCopySuffix));
  state_->copy.emplace(std::move(copy));
  return {};
}

Result<void> StreamedPlacement::append(ByteView piece) {
  if (!state_->copy) {
    return Error{Errc::kProtocol, "data came before the file began", ""};
  }
  TRY(check_signals());
  return state_->copy->append(piece);
}

Result<void> StreamedPlacement::check_signals() const {
  return state_->signals.came() ? Result<void>(ended_by_signal()) : Result<void>();
}

PlacementResult StreamedPlacement::finish() {
  if (!state_->copy) {
    return {Outcome::kFailed, Error{Errc::kProtocol, "no file came", ""}, 0};
  }
  PlacementResult placed =
      write_and_move(state_->file_system, state_->clock, state_->placement, state_->signals,
                     [&](const RawSink& sink) {
                       return read_archive_file(state_->copy->file(), state_->placement.name, sink);
                     });
  state_->copy.reset();
  return placed;
}

}  // namespace pgwalship
