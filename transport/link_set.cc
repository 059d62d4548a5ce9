#include "transport/link_set.h"

namespace pgwalship {

namespace {

// The id of the request that a message answers; nothing for what is no answer.
std::optional<std::uint64_t> answered_id(const Message& message) {
  return std::visit(
      [](const auto& m) -> std::optional<std::uint64_t> {
        if constexpr (requires { m.id; }) {
          return m.id;
        } else {
          return std::nullopt;
        }
      },
      message);
}

bool ends_request(const Message& message) {
  return std::holds_alternative<Done>(message) || std::holds_alternative<StatResult>(message) ||
         std::holds_alternative<GetEnd>(message) ||
         std::holds_alternative<CompareResult>(message) ||
         std::holds_alternative<OfferDeclined>(message) ||
         std::holds_alternative<ProbeAnswer>(message) ||
         std::holds_alternative<MachineFacts>(message);
}

}  // namespace

LinkSet::~LinkSet() {
  for (const auto& [peer, entry] : entries_) {
    loop_.unwatch(entry.link->event_fd());
  }
}

Result<void> LinkSet::add(NodeId peer, std::unique_ptr<PeerLink> link) {
  TRY(loop_.watch(link->event_fd(), Interest::kRead,
                  [this, peer](EventLoop::Ready) { on_events(peer); }));
  entries_[peer].link = std::move(link);
  return {};
}

void LinkSet::greet_with(const Hello& mine) {
  for (const auto& [peer, entry] : entries_) {
    entry.link->greet_with(mine);
  }
}

bool LinkSet::is_up(NodeId peer) const {
  const auto found = entries_.find(peer);
  return found != entries_.end() && found->second.up;
}

const Hello* LinkSet::hello(NodeId peer) const {
  const auto found = entries_.find(peer);
  return found != entries_.end() && found->second.hello ? &*found->second.hello : nullptr;
}

LinkCounters LinkSet::counters(NodeId peer) const {
  const auto found = entries_.find(peer);
  return found != entries_.end() ? found->second.link->counters() : LinkCounters{};
}

std::uint64_t LinkSet::request(NodeId peer, const std::function<Message(std::uint64_t)>& make,
                               AnswerHandler on_answer) {
  Entry& entry = entries_.at(peer);
  CHECK(entry.up);
  const std::uint64_t id = next_id_++;
  entry.open.emplace(id, std::move(on_answer));
  entry.link->send(make(id));
  return id;
}

std::uint64_t LinkSet::send_file(NodeId peer, OutgoingFile file, AnswerHandler on_answer) {
  Entry& entry = entries_.at(peer);
  CHECK(entry.up);
  const std::uint64_t id = next_id_++;
  file.put.id = id;
  entry.open.emplace(id, std::move(on_answer));
  entry.link->send_file(std::move(file));
  return id;
}

void LinkSet::forget(NodeId peer, std::uint64_t id) {
  entries_.at(peer).open.erase(id);
}

// One event a turn: level-triggered, so that a busy link does not starve the clients.
void LinkSet::on_events(NodeId peer) {
  Entry& entry = entries_.at(peer);
  std::optional<LinkEvent> event = entry.link->next_event();
  if (!event.has_value()) {
    return;
  }
  if (auto* up = std::get_if<LinkUp>(&*event)) {
    entry.up = true;
    entry.hello = std::move(up->theirs);
    for (Observer* observer : observers_) {
      observer->on_up(peer, *entry.hello);
    }
  } else if (auto* down = std::get_if<LinkDown>(&*event)) {
    entry.up = false;
    entry.open.clear();
    for (Observer* observer : observers_) {
      observer->on_down(peer, down->reason);
    }
  } else {
    on_message(entry, std::move(std::get<Message>(*event)));
  }
}

void LinkSet::on_message(Entry& entry, Message message) {
  const std::optional<std::uint64_t> id = answered_id(message);
  const auto found = id ? entry.open.find(*id) : entry.open.end();
  if (found == entry.open.end()) {
    return;  // forgotten, or of a session that is gone
  }
  if (ends_request(message)) {
    const AnswerHandler handler = std::move(found->second);
    entry.open.erase(found);
    handler(std::move(message));
  } else {
    // A copy: the handler may forget its own request.
    const AnswerHandler handler = found->second;
    handler(std::move(message));
  }
}

}  // namespace pgwalship
