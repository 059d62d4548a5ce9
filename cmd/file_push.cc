#include "cmd/file_push.h"

#include "base/posix_file_system.h"
#include "cmd/daemon_call.h"
#include "cmd/never_written.h"
#include "cmd/push_source.h"

#include <future>

namespace pgwalship {
namespace {

// The requests of the connection.
constexpr std::uint64_t kPutId = 1;
constexpr std::uint64_t kClaimId = 2;

// The conversation about one file.
class Delivery {
 public:
  Delivery(DaemonClient& daemon, TimePoint deadline) : daemon_(daemon), deadline_(deadline) {}

  // The daemon's verdict when it has shipped the file already, or does; nothing: push it.
  Result<std::optional<Done>> answer_to_claim() {
    for (;;) {
      TRY_ASSIGN(Message message, daemon_.receive(deadline_));
      if (const auto* declined = std::get_if<ClaimDeclined>(&message);
          declined != nullptr && declined->id == kClaimId) {
        return std::optional<Done>();
      }
      if (auto* done = std::get_if<Done>(&message); done != nullptr && done->id == kClaimId) {
        return std::optional(std::move(*done));
      }
    }
  }

  Result<Done> run(const PushSource& source, const WalName& name) {
    const int level = daemon_.theirs().compression_level;
    const PushSource::Recipient recipient{
        .announce =
            [&](const FileFacts& facts) {
              return send(Put{kPutId, name, 0, facts});
            },
        .sink =
            [this](ByteView piece) {
              return send(Data{kPutId, Bytes(piece.begin(), piece.end())});
            }};
    // Where the system has no thread to give, this is measured when compress() asks for it.
    auto measuring = std::async([&source] { return source.measure(); });
    TRY_ASSIGN(const std::optional<std::uint32_t> file_crc32,
               source.compress(level >= 1 && level <= 9 ? level : kGzipLevelDefault,
                               std::move(measuring), recipient));
    if (file_crc32.has_value()) {
      TRY(send(PutEnd{kPutId, *file_crc32}));
    }
    return wait_for_verdict();
  }

 private:
  using Next = PushSource::Next;

  // Stops when the daemon has answered already. It may also have hung up after that.
  Result<Next> send(const Message& message) {
    const Result<void> sent = daemon_.send(message, deadline_);
    const Result<bool> answered = daemon_.has_message();
    if (answered.ok() && answered.value()) {
      return Next::kStop;
    }
    TRY(sent);
    TRY(answered);
    return Next::kGoOn;
  }

  Result<Done> wait_for_verdict() {
    for (;;) {
      TRY_ASSIGN(Message message, daemon_.receive(deadline_));
      if (auto* done = std::get_if<Done>(&message); done != nullptr && done->id == kPutId) {
        return std::move(*done);
      }
    }
  }

  DaemonClient& daemon_;
  const TimePoint deadline_;
};

}  // namespace

Result<Done> push_file(const Config& config, const std::string& path, const WalName& name) {
  const SystemClock clock;
  PosixFileSystem file_system;
  const TimePoint start = clock.now();
  const TimePoint deadline = start + config.cluster.push_timeout + kPushGrace;
  TRY_ASSIGN(const FileStat stamp, file_system.stat(path));
  TRY_ASSIGN(const auto daemon,
             connect_daemon(config, clock, std::min(deadline, start + kRestartPatience),
                            IfDown::kTryAgain, Claim{kClaimId, name, stamp}));
  Delivery delivery(*daemon, deadline);
  TRY_ASSIGN(std::optional<Done> answer, delivery.answer_to_claim());
  if (answer) {
    return std::move(*answer);
  }
  const std::uint64_t system_id = daemon->theirs().system_id;
  const auto source = PushSource::open(
      file_system,
      {.path = path, .name = name, .origin = daemon->theirs().node, .system_id = system_id});
  if (!source.ok()) {
    const ArchiveStore store(file_system, {.directory = config.archive.directory});
    if (auto why = never_written(file_system, store, path, name, system_id)) {
      return Done{.id = kPutId, .error = std::nullopt, .warning = std::move(*why)};
    }
    return source.error();
  }
  return delivery.run(source.value(), name);
}

}  // namespace pgwalship
