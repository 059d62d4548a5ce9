// The peer's end of a link: messages in, operations on the archive, messages out. `pgwalship
// receive` pumps it between sshd and the archive; the simulator runs it over its network. It works
// on the archive directly, so a peer serves while its own daemon is down. It can add, read and
// list; nothing it is told deletes or changes anything (G6). One thread; disk operations block it,
// but for those of the index.
#pragma once

#include "transport/messages.h"
#include "transport/offered_files.h"
#include "wal/archive_store.h"
#include "wal/live_index.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace pgwalship {

class Receiver {
 public:
  // `mine` is sent as the answer to the sender's Hello; its role is set here, its system_id and
  // reconciled are read from the store. `from` is the node that the key of this connection belongs
  // to (--from); a Hello that claims another name is refused.
  // `store` and `index` are of the same archive, and outlive it; no completion of the index's jobs
  // runs after it.
  // Without `offered` every Offer is declined, unless the archive has its content already.
  Receiver(ArchiveStore& store, LiveIndex& index, Hello mine, std::string from,
           std::unique_ptr<OfferedFiles> offered = nullptr);
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  ~Receiver();

  // What a MachineQuery is answered with; without it, with an error.
  using MachineLook = std::function<Result<MachineFacts>()>;
  void look_at_machine_with(MachineLook look) { machine_look_ = std::move(look); }

  // Never fails: what is wrong with a request is its answer; what breaks the protocol is a Failure
  // in the output, after which ended() is true. Acknowledgements (Done) are put out only after the
  // store has made the file durable.
  void on_message(Message message);

  // To be called when the clock reaches next_look(): answers what could not be answered at once.
  void look(TimePoint now);
  TimePoint next_look() const;

  // Pulled by the pump, so that a slow reader costs no memory: a Get gives one Data at a time,
  // after everything else that waits.
  std::optional<Message> next_output();

  // True when the session is over once the output is drained.
  bool ended() const { return ended_; }

 private:
  struct Incoming;
  struct Outgoing;

  void on_hello(const Hello& theirs);
  void on_put(Put put);
  void on_data(const Data& data);
  void on_put_end(const PutEnd& end);
  void on_offer(const Offer& offer);
  void on_stat(Stat stat);
  void answer(const Stat& stat);
  Result<void> tell_absence(const WalName& name, StatResult& result);
  bool may_read() const;
  void on_get(Get get);
  void on_compare(CompareRanges asked);
  void on_reconciled(const Reconciled& reconciled);
  void on_machine_query(const MachineQuery& query);
  void on_probe(const Probe& probe);

  bool take_new_id(std::uint64_t id);
  bool holds_already(const WalName& name, const Sha256& content);
  Result<ArchiveFile> open(const WalName& name) const;
  void finish(Incoming& incoming, const Result<PutOutcome>& outcome);
  void refuse(std::uint64_t id, Error error);
  static Error too_large(const Put& put);
  static Message next_piece(Outgoing& outgoing);
  void fail(Error error);
  void end();

  ArchiveStore& store_;
  LiveIndex& index_;
  Hello mine_;
  const std::string from_;  // constant after construction
  bool greeted_ = false;
  bool ended_ = false;
  const std::unique_ptr<OfferedFiles> offered_;  // null: this node takes no offers
  MachineLook machine_look_;
  std::deque<Message> outbox_;
  std::map<std::uint64_t, std::unique_ptr<Incoming>> incoming_;
  std::deque<std::unique_ptr<Outgoing>> outgoing_;
  std::deque<Stat> to_read_;           // one at each look()
  std::set<std::uint64_t> comparing_;  // CompareRanges that wait for the index
};

}  // namespace pgwalship
