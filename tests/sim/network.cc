#include "tests/sim/network.h"

#include <algorithm>

namespace pgwalship::sim {

namespace {

// What a connection holds before its sender has to wait: socket buffers and the channel's window.
constexpr std::size_t kWindowBytes = 160 * 1024;
// How often a piece looks whether the cut that it waits at is mended: retransmission.
constexpr milliseconds kRetransmit{80};

}  // namespace

std::optional<Bytes> Endpoint::receive() {
  if (inbox_.empty()) {
    return std::nullopt;
  }
  Bytes bytes = std::move(inbox_.front());
  inbox_.pop_front();
  if (const EndpointRef other = other_.lock()) {
    const bool had_room = other->has_room();
    other->unread_bytes_ -= bytes.size();
    if (!had_room && other->has_room() && other->on_change) {
      network_->schedule_.after(Duration::zero(), [weak = std::weak_ptr(other)] {
        const EndpointRef sender = weak.lock();
        if (sender && sender->on_change) {
          sender->on_change();
        }
      });
    }
  }
  return bytes;
}

bool Endpoint::has_room() const {
  return unread_bytes_ < kWindowBytes;
}

void Endpoint::send(ByteView bytes) {
  const EndpointRef self = self_.lock();
  if (closed_ || !self) {
    return;
  }
  Random& random = network_->schedule_.random();
  while (!bytes.empty()) {
    const std::size_t size = random.one_in(4) ? 1 + random.below(bytes.size()) : bytes.size();
    on_the_way_.emplace_back(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    unread_bytes_ += size;
    bytes = bytes.subspan(size);
  }
  network_->move(self);
}

void Endpoint::close() {
  on_change = nullptr;
  if (closed_) {
    return;
  }
  const EndpointRef other = other_.lock();
  network_->stop(*this);
  if (other) {
    network_->stop(*other);
    const bool cut = network_->is_cut(node_, other->node_);
    network_->tell_end(other, cut ? Network::Notice::kLate : Network::Notice::kSoon);
  }
}

void Network::set_delay(Duration low, Duration high) {
  delay_low_ = low;
  delay_high_ = high;
}

void Network::set_clog(NodeId from, NodeId to, Duration extra) {
  clogs_[{from, to}] = extra;
}

std::pair<EndpointRef, EndpointRef> Network::connect(NodeId from, NodeId to) {
  const auto near = std::make_shared<Endpoint>();
  const auto far = std::make_shared<Endpoint>();
  near->node_ = from;
  far->node_ = to;
  near->other_ = far;
  far->other_ = near;
  for (const EndpointRef& end : {near, far}) {
    end->network_ = this;
    end->self_ = end;
  }
  std::erase_if(sessions_, [](const auto& session) { return session.expired(); });
  sessions_.push_back(near);
  return {near, far};
}

void Network::move(const EndpointRef& from) {
  const EndpointRef to = from->other_.lock();
  if (from->moving_ || from->on_the_way_.empty() || !to) {
    return;
  }
  from->moving_ = true;
  Duration delay = schedule_.between(delay_low_, delay_high_);
  if (const auto clog = clogs_.find({from->node_, to->node_}); clog != clogs_.end()) {
    delay += clog->second;
  }
  schedule_.after(delay, [this, from] { arrive(from); });
}

void Network::arrive(const EndpointRef& from) {
  const EndpointRef to = from->other_.lock();
  if (to && is_cut(from->node_, to->node_) && !from->on_the_way_.empty()) {
    schedule_.after(kRetransmit, [this, from] { arrive(from); });
    return;
  }
  from->moving_ = false;
  if (!to || from->on_the_way_.empty()) {
    return;
  }
  to->inbox_.push_back(std::move(from->on_the_way_.front()));
  from->on_the_way_.pop_front();
  move(from);
  if (to->on_change) {
    to->on_change();
  }
}

void Network::stop(Endpoint& from) {
  from.closed_ = true;
  const EndpointRef to = from.other_.lock();
  if (to && !is_cut(from.node_, to->node_) && !from.on_the_way_.empty()) {
    // Half of the time all that was sent still arrives.
    Random& random = schedule_.random();
    std::size_t pieces = from.on_the_way_.size();
    if (random.one_in(2)) {
      pieces = random.below(pieces + 1);
    }
    for (std::size_t i = 0; i < pieces; ++i) {
      to->inbox_.push_back(std::move(from.on_the_way_[i]));
    }
    if (pieces > 0 && to->on_change) {
      schedule_.after(Duration::zero(), [weak = std::weak_ptr(to)] {
        if (const EndpointRef end = weak.lock(); end && end->on_change) {
          end->on_change();
        }
      });
    }
  }
  from.on_the_way_.clear();
}

void Network::tell_end(const EndpointRef& endpoint, Notice notice) {
  const Duration delay = notice == Notice::kSoon ? schedule_.between({}, milliseconds(60))
                                                 : schedule_.between(seconds(5), seconds(60));
  schedule_.after(delay, [weak = std::weak_ptr(endpoint)] {
    if (const EndpointRef end = weak.lock()) {
      end->ended_ = true;
      if (end->on_change) {
        end->on_change();
      }
    }
  });
}

std::vector<EndpointRef> Network::open_sessions() {
  std::vector<EndpointRef> open;
  for (const auto& session : sessions_) {
    if (EndpointRef near = session.lock(); near && !near->closed_ && near->other_.lock()) {
      open.push_back(std::move(near));
    }
  }
  return open;
}

void Network::break_any() {
  const std::vector<EndpointRef> open = open_sessions();
  if (open.empty()) {
    return;
  }
  const EndpointRef& near = open[schedule_.random().below(open.size())];
  const EndpointRef far = near->other_.lock();
  stop(*near);
  stop(*far);
  tell_end(near, schedule_.random().one_in(3) ? Notice::kLate : Notice::kSoon);
  tell_end(far, schedule_.random().one_in(3) ? Notice::kLate : Notice::kSoon);
}

void Network::machine_lost(NodeId node) {
  for (const EndpointRef& near : open_sessions()) {
    const EndpointRef far = near->other_.lock();
    if (near->node_ == node || far->node_ == node) {
      stop(*near);
      stop(*far);
      tell_end(near->node_ == node ? far : near, Notice::kLate);
    }
  }
}

}  // namespace pgwalship::sim
