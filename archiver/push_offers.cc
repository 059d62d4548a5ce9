// How a file gets to a peer: by its hash alone when the peer may have the bytes, else as it is.
#include "archiver/push_service.h"

namespace pgwalship {

void PushService::send(const SendFile& action, OutgoingFile file) {
  if (!machine_.links.is_up(action.peer)) {
    return;  // the Shipper hears of it by PeerLost
  }
  const bool takes_offers = (machine_.links.hello(action.peer)->capabilities & kTakesOffers) != 0;
  if (takes_offers && action.fresh && action.name.kind() == WalKind::kSegment &&
      offers_[action.peer].may_offer(machine_.loop.now())) {
    offer(action, std::move(file));
  } else {
    send_bytes(action, std::move(file));
  }
}

// The peer may have the bytes by streaming; when it has not, they are sent after all.
void PushService::offer(const SendFile& action, OutgoingFile file) {
  auto held = std::make_shared<OutgoingFile>(std::move(file));
  machine_.links.request(
      action.peer,
      [&](std::uint64_t id) -> Message {
        return Offer{id, action.name, held->put.facts};
      },
      [this, action, held](const Message& answer) {
        OfferTally& tally = offers_[action.peer];
        if (const auto* done = std::get_if<Done>(&answer); done != nullptr && !done->error) {
          tally.accepted();
          answer_file(action, done->outcome);
        } else {
          tally.declined(machine_.loop.now());
          send_bytes(action, std::move(*held));
        }
      });
}

std::uint64_t PushService::acknowledged_by_hash(NodeId peer) const {
  const auto found = offers_.find(peer);
  return found == offers_.end() ? 0 : found->second.total_accepted();
}

void PushService::send_bytes(const SendFile& action, OutgoingFile file) {
  machine_.links.send_file(action.peer, std::move(file), [this, action](const Message& answer) {
    const auto* done = std::get_if<Done>(&answer);
    if (done != nullptr) {
      answer_file(action, done->error ? Result<PutOutcome>(*done->error) : done->outcome);
    }
  });
}

}  // namespace pgwalship
