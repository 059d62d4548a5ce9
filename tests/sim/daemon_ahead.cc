// What the daemon does for its LookAhead, and how a client's push comes to it: LookAheadService and
// ClientSession there. Files of pg_wal are what options_.ready() gives, so only the stamp is made
// up.
#include "tests/sim/daemon.h"
#include "tests/sim/receiver_process.h"
#include "wal/gzip.h"

#include <algorithm>
#include <utility>

namespace pgwalship::sim {

namespace {

// Between two looks at the marks, and how old what was seen is at most.
constexpr milliseconds kLooksMax{300};
constexpr milliseconds kSeenMax{100};
// From the daemon's "push it" to the client's first message.
constexpr milliseconds kTurnMax{5};

// What stat(2) says of that file.
FileStat stamp_of(const Content& content) {
  FileStat stamp;
  stamp.size = content.raw.size();
  stamp.inode = std::to_integer<std::uint64_t>(content.facts.sha256.bytes[0]);
  return stamp;
}

}  // namespace

void Daemon::push(ContentRef content, ReplyHandler on_reply) {
  if (!look_ahead_) {
    take_push(std::move(content), std::move(on_reply));
    return;
  }
  note_newcomers();
  const ClaimId claim = next_id_++;
  FileStat stamp = stamp_of(*content);
  stamp.inode += process_.schedule().random().one_in(10) ? 1000 : 0;  // somebody has copied it
  const WalName name = content->name;
  claims_.emplace(claim, Claiming{std::move(content), std::move(on_reply)});
  feed_ahead(Claimed{claim, name, stamp, held(name)});
}

// The index follows the archive at once, by inotify; and it believes the headers.
std::optional<ContentKey> Daemon::held(const WalName& name) const {
  const std::string path = std::string(kArchiveDirectory) + "/" + name.text() + ".gz";
  if (!node_disk_.memory->stat(path).ok()) {
    return std::nullopt;
  }
  const Bytes file = node_disk_.memory->content(path);
  const auto header =
      parse_gzip_header(ByteView(file).first(std::min(file.size(), kGzipHeaderBytesMax)));
  return header.ok() && header.value().facts
             ? std::optional(ContentKey::of(header.value().facts->sha256))
             : std::nullopt;
}

void Daemon::look_at_marks() {
  std::vector<WalName> names;
  for (const ContentRef& content : options_.ready()) {
    names.push_back(content->name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  process_.after(process_.schedule().between({}, kSeenMax), [this, names] {
    feed_ahead(ReadyListed{Completeness::kTold, names});
    process_.after(process_.schedule().between({}, kLooksMax), [this] { look_at_marks(); });
  });
}

// Before anything is answered: what a node has lost does not count.
void Daemon::note_newcomers() {
  if (newcomers_met_ != shipper_->newcomers_met()) {
    newcomers_met_ = shipper_->newcomers_met();
    feed_ahead(HoldingsLost{});
  }
}

void Daemon::feed_ahead(LookAheadEvent event) {
  ahead_events_.push_back(std::move(event));
  if (feeding_ahead_) {
    return;  // its actions come after those before it
  }
  feeding_ahead_ = true;
  while (!ahead_events_.empty()) {
    const LookAheadEvent next = std::move(ahead_events_.front());
    ahead_events_.pop_front();
    for (const LookAheadAction& action : look_ahead_->step(next, process_.schedule().now())) {
      std::visit([this](const auto& a) { act(a); }, action);
    }
  }
  feeding_ahead_ = false;
  arm();
}

void Daemon::act(const ReadAhead& action) {
  read_jobs_.post([this, action]() -> JobQueue::Completion {
    const auto upload = std::make_shared<Upload>();
    const AheadRead result = read_ahead(action.name, *upload);
    return [this, result, upload] {
      if (result.outcome == AheadRead::Outcome::kRead) {
        read_.emplace(result.name, upload);
      }
      feed_ahead(result);
    };
  });
}

AheadRead Daemon::read_ahead(const WalName& name, Upload& upload) {
  const std::vector<ContentRef> ready = options_.ready();
  const auto found = std::find_if(ready.begin(), ready.end(),
                                  [&](const ContentRef& each) { return each->name == name; });
  AheadRead result{name, AheadRead::Outcome::kGone, {}, {}, {}};
  if (found == ready.end()) {
    return result;
  }
  Random& random = process_.schedule().random();
  if (random.one_in(8)) {
    result.outcome = AheadRead::Outcome::kYoung;
    return result;
  }
  upload.content = *found;
  result.error = stage(upload);
  result.outcome = result.error ? AheadRead::Outcome::kFailed : AheadRead::Outcome::kRead;
  result.content = ContentKey::of((*found)->facts.sha256);
  if (!result.error && !random.one_in(10)) {  // else the clock was set back
    result.stamp = stamp_of(**found);
  }
  return result;
}

void Daemon::act(const ShipAhead& action) {
  const auto found = read_.find(action.name);
  const UploadRef upload = found->second;
  read_.erase(found);
  upload->deadline = process_.schedule().now() + options_.push_timeout;
  if (mutated(Mutation::kReadIsShipped)) {
    upload->on_reply = [](const Result<std::string>&) {};
    feed_ahead(AheadShipped{action.name, std::string()});
  } else {
    upload->on_reply = [this, name = action.name](Result<std::string> verdict) {
      feed_ahead(AheadShipped{name, std::move(verdict)});
    };
  }
  const PushId push = next_id_++;
  uploads_.emplace(push, upload);
  disk_jobs_.post([this, push, upload]() -> JobQueue::Completion {
    const LocalName local = local_name(upload->content->name);
    return [this, push, upload, local] { submit(push, upload, local); };
  });
}

void Daemon::act(const DropAhead& action) {
  read_.erase(action.name);
}

void Daemon::act(const AnswerClaim& action) {
  const auto found = claims_.find(action.claim);
  Claiming claiming = std::move(found->second);
  claims_.erase(found);
  if (action.verdict) {
    claiming.on_reply(*action.verdict);
    return;
  }
  process_.after(process_.schedule().between({}, kTurnMax), [this, claiming] {
    const WalName name = claiming.content->name;
    feed_ahead(ClientBegan{name});
    take_push(claiming.content,
              [this, name, on_reply = claiming.on_reply](const Result<std::string>& verdict) {
                feed_ahead(ClientEnded{name});
                on_reply(verdict);
              });
  });
}

}  // namespace pgwalship::sim
