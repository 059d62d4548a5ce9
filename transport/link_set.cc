#include "transport/link_set.h"

namespace pgwalship {

LinkSet::~LinkSet() {
  for (const auto& [peer, entry] : entries_) {
    for (const Link& each : entry.links) {
      loop_.unwatch(each.link->event_fd());
    }
  }
}

Result<void> LinkSet::add(NodeId peer, std::unique_ptr<PeerLink> link) {
  const auto known = entries_.find(peer);
  const std::size_t index = known == entries_.end() ? 0 : known->second.links.size();
  TRY(loop_.watch(link->event_fd(), Interest::kRead,
                  [this, peer, index](EventLoop::Ready) { on_events(peer, index); }));
  entries_[peer].links.push_back(Link{std::move(link)});
  return {};
}

void LinkSet::greet_with(const Hello& mine) {
  for (const auto& [peer, entry] : entries_) {
    for (const Link& each : entry.links) {
      each.link->greet_with(mine);
    }
  }
}

bool LinkSet::is_up(NodeId peer) const {
  const auto found = entries_.find(peer);
  return found != entries_.end() && found->second.links.front().up;
}

const Hello* LinkSet::hello(NodeId peer) const {
  const auto found = entries_.find(peer);
  return found != entries_.end() && found->second.hello ? &*found->second.hello : nullptr;
}

LinkCounters LinkSet::counters(NodeId peer) const {
  const auto found = entries_.find(peer);
  if (found == entries_.end()) {
    return {};
  }
  const std::vector<Link>& links = found->second.links;
  LinkCounters sum = links.front().link->counters();
  for (std::size_t i = 1; i < links.size(); ++i) {
    const LinkCounters one = links[i].link->counters();
    sum.bytes_sent += one.bytes_sent;
    sum.bytes_received += one.bytes_received;
  }
  return sum;
}

LinkSet::Count LinkSet::links_of(NodeId peer) const {
  const auto found = entries_.find(peer);
  if (found == entries_.end()) {
    return {};
  }
  const std::vector<Link>& links = found->second.links;
  const auto up =
      std::count_if(links.begin(), links.end(), [](const Link& each) { return each.up; });
  return {static_cast<std::size_t>(up), links.size()};
}

std::uint64_t LinkSet::request(NodeId peer, const std::function<Message(std::uint64_t)>& make,
                               AnswerHandler on_answer) {
  Entry& entry = entries_.at(peer);
  CHECK(is_up(peer));
  const std::uint64_t id = next_id_++;
  Message request = make(id);
  entry.open.emplace(id, Request{std::move(on_answer), answers_to(request)});
  entry.links.front().link->send(std::move(request));
  return id;
}

std::uint64_t LinkSet::send_file(NodeId peer, OutgoingFile file, AnswerHandler on_answer) {
  Entry& entry = entries_.at(peer);
  CHECK(is_up(peer));
  std::size_t chosen = 0;
  for (std::size_t i = 1; i < entry.links.size(); ++i) {
    if (entry.links[i].up && entry.links[i].open_bytes < entry.links[chosen].open_bytes) {
      chosen = i;
    }
  }
  const std::uint64_t id = next_id_++;
  file.put.id = id;
  const std::uint64_t bytes = file.put.file_bytes;
  entry.open.emplace(id, Request{std::move(on_answer), answers_to(file.put), chosen, bytes});
  entry.links[chosen].open_bytes += bytes;
  entry.links[chosen].link->send_file(std::move(file));
  return id;
}

void LinkSet::forget(NodeId peer, std::uint64_t id) {
  Entry& entry = entries_.at(peer);
  if (const auto found = entry.open.find(id); found != entry.open.end()) {
    close(entry, found);
  }
}

LinkSet::Request LinkSet::close(Entry& entry, OpenRequest request) {
  Request closed = std::move(request->second);
  entry.open.erase(request);
  entry.links[closed.link].open_bytes -= closed.file_bytes;
  return closed;
}

// One event a turn: level-triggered, so that a busy link does not starve the clients.
void LinkSet::on_events(NodeId peer, std::size_t link) {
  Entry& entry = entries_.at(peer);
  std::optional<LinkEvent> event = entry.links[link].link->next_event();
  if (!event.has_value()) {
    return;
  }
  if (auto* up = std::get_if<LinkUp>(&*event)) {
    entry.links[link].up = true;
    if (link == 0) {
      entry.hello = std::move(up->theirs);
      for (Observer* observer : observers_) {
        observer->on_up(peer, *entry.hello);
      }
    }
  } else if (auto* down = std::get_if<LinkDown>(&*event)) {
    entry.links[link].up = false;
    if (link == 0) {
      on_first_down(peer, down->reason);
    } else {
      on_other_down(entry, link, down->reason);
    }
  } else {
    on_message(entry, std::move(std::get<Message>(*event)));
  }
}

// What the other links still have of this peer goes on, and is heard by nobody.
void LinkSet::on_first_down(NodeId peer, const Error& reason) {
  Entry& entry = entries_.at(peer);
  entry.open.clear();
  for (Link& each : entry.links) {
    each.open_bytes = 0;
  }
  for (Observer* observer : observers_) {
    observer->on_down(peer, reason);
  }
}

void LinkSet::on_other_down(Entry& entry, std::size_t link, const Error& reason) {
  std::vector<std::pair<std::uint64_t, AnswerHandler>> lost;
  for (auto each = entry.open.begin(); each != entry.open.end();) {
    const auto request = each++;
    if (request->second.link == link) {
      const std::uint64_t id = request->first;
      lost.emplace_back(id, close(entry, request).on_answer);
    }
  }
  for (const auto& [id, on_answer] : lost) {
    on_answer(Done{id, {}, Error{Errc::kRetry, reason.message, reason.hint}, {}});
  }
}

void LinkSet::on_message(Entry& entry, Message message) {
  const std::optional<std::uint64_t> id = answered_id(message);
  const auto found = id ? entry.open.find(*id) : entry.open.end();
  if (found == entry.open.end()) {
    return;  // forgotten, or of a session that is gone
  }
  if (!found->second.may_be(message)) {
    Error error{Errc::kProtocol, "the peer's answer is none to what it was asked",
                "is the same version of pgwalship on both nodes?"};
    close(entry, found).on_answer(Done{*id, {}, std::move(error), {}});
  } else if (ends_request(message)) {
    close(entry, found).on_answer(std::move(message));
  } else {
    // A copy: the handler may forget its own request.
    const AnswerHandler handler = found->second.on_answer;
    handler(std::move(message));
  }
}

}  // namespace pgwalship
