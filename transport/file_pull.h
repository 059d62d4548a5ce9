// Moves one file from a peer into the local archive: Get, a staged file, commit. The content is
// verified as it comes, or afterwards when the peer is too fast for that, before it gets its name;
// where that is wished, the same pass puts it into the spool.
// Loop thread; the disk is touched on the given worker, on which one job of a pull waits at a time,
// so that it stands in nobody's way.
#pragma once

#include "base/worker.h"
#include "transport/link_set.h"
#include "wal/archive_store.h"
#include "wal/spool.h"

#include <functional>
#include <memory>
#include <optional>

namespace pgwalship {

// Data of one pull that may wait for the disk: a peer cannot be asked to send more slowly.
inline constexpr std::size_t kPullWaitingBytesMax = 64U << 20U;
// When so much waits, it comes faster than it can be unpacked: from then on it is only written, and
// read once more before it gets its name. More than a segment of the usual size has.
inline constexpr std::size_t kPullUnpackBytesMax = 16U << 20U;

class FilePull : public std::enable_shared_from_this<FilePull> {
 public:
  struct Machine {  // borrowed
    Worker& storer;
    LinkSet& links;
    ArchiveStore& store;
  };
  struct Wish {
    NodeId peer;
    WalName name;
    ArchiveStore::Reserve reserve = ArchiveStore::Reserve::kKeep;
    Urgency urgency = Urgency::kAhead;  // nobody waits
    std::function<void()> on_piece{};   // hears of each piece that came; may be empty
    Spool* spool = nullptr;             // borrowed; null: it is not unpacked
  };
  // kHere: the disk or the archive here failed, so another peer's file would fail as well.
  enum class Fault { kNone, kPeer, kHere };
  // Called once, not from within start(); never after abandon().
  using Handler = std::function<void(const Result<PutOutcome>& result, Fault fault)>;

  // REQUIRES: the link to the peer is up. When it goes down the owner calls abandon().
  static std::shared_ptr<FilePull> start(Machine machine, Wish wish, Handler on_end);
  void abandon();

  std::uint64_t received_bytes() const { return received_bytes_; }
  // Where it is in the spool, once it was stored; empty: it is not.
  const std::string& spooled() const { return spooled_; }

 private:
  FilePull(Machine machine, Wish wish, Handler on_end);
  void ask();
  void on_message(const Message& message);
  void pump();
  Worker::Completion append(const Bytes& bytes);
  Worker::Completion commit();
  Result<void> stage();
  void unpack(ByteView raw);
  void post(std::function<Worker::Completion()> job);
  void end(const Result<PutOutcome>& result, Fault fault);
  void drop_staged();

  Machine machine_;
  const Wish wish_;
  Handler on_end_;
  std::uint64_t request_ = 0;
  std::uint64_t received_bytes_ = 0;
  Bytes waiting_;  // for the disk
  std::optional<std::uint32_t> file_crc32_;
  std::string spooled_;
  bool job_out_ = false;
  bool over_ = false;
  // The worker's while job_out_.
  std::unique_ptr<StagedFile> staged_;
  std::unique_ptr<SpooledFile> unpacked_;  // null: whoever wants it unpacks it
  bool is_content_met_ = false;
};

}  // namespace pgwalship
