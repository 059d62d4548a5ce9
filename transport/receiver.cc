#include "transport/receiver.h"

#include "wal/digest.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

namespace pgwalship {
namespace {

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;  // clang before 17 does not find it by itself

Hello as_receiver(Hello hello) {
  hello.role = Role::kReceiver;
  return hello;
}

Error protocol_error(std::string reason) {
  return Error{Errc::kProtocol, std::move(reason), {}};
}

}  // namespace

// A Put from its first message to the later of Done and PutEnd.
struct Receiver::Incoming {
  Put put;
  std::unique_ptr<StagedFile> staged;  // empty once Done is out: the rest is ignored
};

struct Receiver::Outgoing {
  std::uint64_t id = 0;
  WalName name;
  ArchiveFile archived;
  Urgency urgency = Urgency::kWanted;
  std::uint64_t offset = 0;
  std::uint32_t crc32 = 0;
};

Receiver::Receiver(ArchiveStore& store, LiveIndex& index, Hello mine, std::string from,
                   std::unique_ptr<OfferedFiles> offered)
    : store_(store),
      index_(index),
      mine_(as_receiver(std::move(mine))),
      from_(std::move(from)),
      offered_(std::move(offered)) {
  mine_.capabilities |= offered_ ? kTakesOffers : 0;
}

Receiver::~Receiver() = default;

void Receiver::on_message(Message message) {
  if (ended_) {
    return;
  }
  if (!greeted_ && !std::holds_alternative<Hello>(message) &&
      !std::holds_alternative<Failure>(message)) {
    fail(protocol_error("the first message must be Hello"));
    return;
  }
  std::visit(Overloaded{
                 [this](const Hello& m) { on_hello(m); },
                 [this](const Failure&) { end(); },
                 [this](Put& m) { on_put(std::move(m)); },
                 [this](const Data& m) { on_data(m); },
                 [this](const PutEnd& m) { on_put_end(m); },
                 [this](const Offer& m) { on_offer(m); },
                 [this](Stat& m) { on_stat(std::move(m)); },
                 [this](Get& m) { on_get(std::move(m)); },
                 [this](CompareRanges& m) { on_compare(std::move(m)); },
                 [this](const Reconciled& m) { on_reconciled(m); },
                 [this](const MachineQuery& m) { on_machine_query(m); },
                 [this](const Probe& m) { on_probe(m); },
                 [this](const Ping& m) { outbox_.push_back(Pong{m.number}); },
                 [this](const auto&) { fail(protocol_error("a receiver takes no such message")); },
             },
             message);
}

void Receiver::on_hello(const Hello& theirs) {
  if (greeted_) {
    fail(protocol_error("a second Hello"));
    return;
  }
  const Result<std::uint64_t> system_id = store_.system_id();
  if (!system_id.ok()) {
    fail(system_id.error().within("archive of '" + mine_.node + "'"));
    return;
  }
  const Result<SegmentPosition> floor = store_.floor();
  if (!floor.ok()) {
    fail(floor.error().within("archive of '" + mine_.node + "'"));
    return;
  }
  mine_.system_id = system_id.value();
  mine_.floor = floor.value();
  mine_.reconciled = store_.reconciled();
  if (const auto version = check_hello(mine_, theirs); !version.ok()) {
    fail(version.error());
    return;
  }
  if (theirs.node != from_) {
    fail(Error{Errc::kInvalid,
               "the key of this connection belongs to '" + from_ + "', but the greeting is from '" +
                   theirs.node + "'",
               "give each node a key of its own, and in authorized_keys on '" + mine_.node +
                   "' the --from that is its node-name"});
    return;
  }
  greeted_ = true;
  outbox_.push_back(mine_);
}

void Receiver::on_put(Put put) {
  if (!take_new_id(put.id)) {
    return;
  }
  if (incoming_.size() >= kOpenPutsMax) {
    fail(protocol_error("more than " + std::to_string(kOpenPutsMax) + " open Puts"));
    return;
  }
  const std::uint64_t id = put.id;
  Incoming& incoming = *(incoming_[id] = std::make_unique<Incoming>(Incoming{std::move(put), {}}));
  if (incoming.put.file_bytes > kFileBytesMax) {
    finish(incoming, too_large(incoming.put));
    return;
  }
  if (holds_already(incoming.put.name, incoming.put.facts.sha256)) {
    finish(incoming, PutOutcome::kIdentical);
    return;
  }
  Result<std::unique_ptr<StagedFile>> staged = store_.stage(incoming.put.name);
  if (!staged.ok()) {
    finish(incoming, staged.error());
    return;
  }
  incoming.staged = std::move(staged).value();
}

// Whether the content is here and durable, so that it need not come again (H23). Any doubt is
// resolved by receiving it: commit() knows what to do with each kind of present copy.
bool Receiver::holds_already(const WalName& name, const Sha256& content) {
  if (content == Sha256{}) {
    return false;
  }
  const Result<ArchiveFile> present = store_.open(name);
  if (!present.ok() || (present.value().facts && present.value().facts->sha256 != content)) {
    return false;
  }
  return store_.confirm(name, content).ok();
}

void Receiver::on_offer(const Offer& offer) {
  if (!take_new_id(offer.id)) {
    return;
  }
  if (holds_already(offer.name, offer.facts.sha256)) {
    outbox_.push_back(Done{offer.id, PutOutcome::kIdentical, {}, {}});
  } else if (!offered_ || !offered_->add(offer)) {
    outbox_.push_back(OfferDeclined{offer.id});
  }
}

void Receiver::look(TimePoint now) {
  if (ended_) {
    return;
  }
  if (offered_) {
    for (Message& answer : offered_->look(now)) {
      outbox_.push_back(std::move(answer));
    }
  }
  if (may_read()) {
    answer(to_read_.front());
    to_read_.pop_front();
  }
}

// Fresh WAL goes first: while a Put is open its next Data come as soon as they can.
bool Receiver::may_read() const {
  return !to_read_.empty() && incoming_.empty();
}

TimePoint Receiver::next_look() const {
  if (may_read()) {
    return TimePoint{};
  }
  return offered_ ? offered_->next_look() : kNever;
}

void Receiver::on_data(const Data& data) {
  const auto found = incoming_.find(data.id);
  if (found == incoming_.end()) {
    fail(protocol_error("Data for id " + std::to_string(data.id) + ", which is not open"));
    return;
  }
  Incoming& incoming = *found->second;
  if (!incoming.staged) {
    return;
  }
  const std::uint64_t announced = incoming.put.file_bytes;
  const std::uint64_t bytes = incoming.staged->size() + data.bytes.size();
  if (announced != 0 && bytes > announced) {
    finish(incoming, Error{Errc::kCorrupt,
                           "store '" + incoming.put.name.text() + "': more than the announced " +
                               std::to_string(announced) + " bytes came",
                           {}});
  } else if (bytes > kFileBytesMax) {
    finish(incoming, too_large(incoming.put));
  } else if (const auto appended = incoming.staged->append(data.bytes); !appended.ok()) {
    finish(incoming, appended.error().within("store '" + incoming.put.name.text() + "'"));
  }
}

void Receiver::on_put_end(const PutEnd& end) {
  const auto found = incoming_.find(end.id);
  if (found == incoming_.end()) {
    fail(protocol_error("PutEnd for id " + std::to_string(end.id) + ", which is not open"));
    return;
  }
  const std::unique_ptr<Incoming> incoming = std::move(found->second);
  incoming_.erase(found);
  if (!incoming->staged) {
    return;
  }
  const std::uint64_t announced = incoming->put.file_bytes;
  const std::uint64_t bytes = announced != 0 ? announced : incoming->staged->size();
  finish(*incoming,
         store_.commit(*incoming->staged, {.file_bytes = bytes, .file_crc32 = end.file_crc32}));
}

// The answer to a Put. What was staged and not stored goes.
void Receiver::finish(Incoming& incoming, const Result<PutOutcome>& outcome) {
  incoming.staged.reset();
  if (outcome.ok()) {
    outbox_.push_back(Done{incoming.put.id, outcome.value(), {}, {}});
  } else {
    refuse(incoming.put.id, outcome.error());
  }
}

void Receiver::refuse(std::uint64_t id, Error error) {
  outbox_.push_back(Done{id, PutOutcome::kStored, std::move(error), {}});
}

Error Receiver::too_large(const Put& put) {
  return Error{Errc::kInvalid,
               "store '" + put.name.text() + "': a file of more than " +
                   std::to_string(kFileBytesMax) + " bytes is no WAL segment",
               {}};
}

void Receiver::on_get(Get get) {
  if (!take_new_id(get.id)) {
    return;
  }
  if (outgoing_.size() >= kOpenGetsMax) {
    refuse(get.id,
           Error{Errc::kRetry, "more than " + std::to_string(kOpenGetsMax) + " open Gets", {}});
    return;
  }
  Result<ArchiveFile> present = open(get.name);
  if (!present.ok()) {
    refuse(get.id, present.error());
    return;
  }
  ArchiveFile archived = std::move(present).value();
  outbox_.push_back(GetBegin{get.id, archived.file_bytes, archived.facts.value_or(FileFacts{})});
  outgoing_.push_back(std::make_unique<Outgoing>(
      Outgoing{get.id, std::move(get.name), std::move(archived), get.urgency}));
}

void Receiver::on_reconciled(const Reconciled& reconciled) {
  if (!take_new_id(reconciled.id)) {
    return;
  }
  const auto marked = store_.mark_reconciled(reconciled.from, reconciled.vanished_mark);
  if (!marked.ok()) {
    refuse(reconciled.id, marked.error());
    return;
  }
  mine_.reconciled = true;
  outbox_.push_back(Done{reconciled.id, PutOutcome::kStored, {}, {}});
}

void Receiver::on_machine_query(const MachineQuery& query) {
  if (!take_new_id(query.id)) {
    return;
  }
  Result<MachineFacts> facts =
      machine_look_ ? machine_look_() : Error{Errc::kNotFound, "nothing is known of it", {}};
  if (!facts.ok()) {
    refuse(query.id, facts.error());
    return;
  }
  facts.value().id = query.id;
  outbox_.push_back(facts.value());
}

void Receiver::on_probe(const Probe& probe) {
  if (!take_new_id(probe.id)) {
    return;
  }
  Result<Bytes> back = store_.probe(probe.bytes);
  if (back.ok()) {
    outbox_.push_back(ProbeAnswer{probe.id, std::move(back).value()});
  } else {
    refuse(probe.id, back.error());
  }
}

// False, and the session over, when the id belongs to a request that is still open.
bool Receiver::take_new_id(std::uint64_t id) {
  const bool open = incoming_.contains(id) || comparing_.contains(id) ||
                    (offered_ && offered_->contains(id)) ||
                    std::ranges::any_of(to_read_, [id](const Stat& s) { return s.id == id; }) ||
                    std::ranges::any_of(outgoing_, [id](const auto& out) { return out->id == id; });
  if (open) {
    fail(protocol_error("id " + std::to_string(id) + " is already open"));
  }
  return !open;
}

std::optional<Message> Receiver::next_output() {
  if (!outbox_.empty()) {
    Message message = std::move(outbox_.front());
    outbox_.pop_front();
    return message;
  }
  if (outgoing_.empty()) {
    return std::nullopt;
  }
  const auto urgent = std::ranges::find_if(
      outgoing_, [](const auto& out) { return out->urgency == Urgency::kWanted; });
  const auto next = urgent != outgoing_.end() ? urgent : outgoing_.begin();
  std::unique_ptr<Outgoing> outgoing = std::move(*next);
  outgoing_.erase(next);
  Message message = next_piece(*outgoing);
  if (std::holds_alternative<Data>(message)) {
    outgoing_.push_back(std::move(outgoing));  // in turn with the other open Gets
  }
  return message;
}

Message Receiver::next_piece(Outgoing& outgoing) {
  const std::uint64_t left = outgoing.archived.file_bytes - outgoing.offset;
  if (left == 0) {
    return GetEnd{outgoing.id, outgoing.crc32};
  }
  Bytes piece(static_cast<std::size_t>(std::min<std::uint64_t>(left, kDataBytesMax)));
  const Result<std::size_t> got = outgoing.archived.file->read_at(outgoing.offset, piece);
  const std::string doing = "read '" + outgoing.name.text() + "'";
  if (!got.ok()) {
    return Done{outgoing.id, PutOutcome::kStored, got.error().within(doing), {}};
  }
  if (got.value() < piece.size()) {
    return Done{outgoing.id,
                PutOutcome::kStored,
                Error{Errc::kCorrupt, doing + ": the file became shorter", {}},
                {}};
  }
  outgoing.offset += piece.size();
  outgoing.crc32 = crc32(outgoing.crc32, piece);
  return Data{outgoing.id, std::move(piece)};
}

void Receiver::fail(Error error) {
  end();
  outbox_.push_back(Failure{std::move(error)});
}

// Answers that were earned still go out; what was not complete is forgotten.
void Receiver::end() {
  ended_ = true;
  incoming_.clear();
  outgoing_.clear();
  comparing_.clear();
  if (offered_) {
    offered_->clear();
  }
}

}  // namespace pgwalship
