#include "cmd/client_session.h"

#include <algorithm>
#include <utility>

namespace pgwalship {

namespace {

constexpr std::chrono::seconds kGreetingTime{10};
constexpr std::size_t kStatusPieceBytes = 128 * 1024;
// A client asks one thing at a time; each question costs requests to peers and disk jobs.
constexpr std::size_t kOpenQuestionsMax = 16;
// What a client may lag behind the peer whose file is passed on to it. It writes to a disk.
constexpr std::size_t kRelayedBytesMax = std::size_t{64} << 20;

Error protocol_error(std::string reason) {
  return Error{Errc::kProtocol, std::move(reason), {}};
}

std::string id_text(std::uint64_t id) {
  return "id " + std::to_string(id);
}

}  // namespace

Result<std::shared_ptr<ClientSession>> ClientSession::start(Fd socket, Hello mine,
                                                            Services& services) {
  std::shared_ptr<ClientSession> session(
      new ClientSession(std::move(socket), std::move(mine), services));
  ClientSession* raw = session.get();
  TRY(services.loop.watch(raw->socket_.get(), Interest::kRead,
                          [raw](EventLoop::Ready ready) { raw->on_ready(ready); }));
  return session;
}

ClientSession::ClientSession(Fd socket, Hello mine, Services& services)
    : socket_(std::move(socket)),
      mine_(std::move(mine)),
      services_(services),
      stream_(socket_.get(), socket_.get()),
      greet_by_(services.loop.now() + kGreetingTime) {}

ClientSession::~ClientSession() {
  end();
}

void ClientSession::end() {
  if (ended_) {
    return;
  }
  ended_ = true;
  services_.loop.unwatch(socket_.get());
  for (const auto& [id, open] : std::exchange(pushes_, {})) {
    if (!open.answered) {
      services_.pushes.abandon(open.push);
      tell_ended(open.name);
    }
  }
  for (const auto& [id, claim] : claims_) {
    services_.look_ahead->drop_claim(claim);
  }
}

void ClientSession::tick(TimePoint now) {
  if (ended_) {
    return;
  }
  if (!greeted_ && greet_by_ <= now) {
    end();
    return;
  }
  read_messages();
  if (!ended_) {
    update_interest();
  }
}

void ClientSession::on_ready(EventLoop::Ready ready) {
  if (ready.readable && !must_wait()) {
    const Result<bool> more = stream_.receive();
    read_messages();
    if (!ended_ && (!more.ok() || !more.value())) {
      end();
    }
  }
  if (!ended_) {
    update_interest();
  }
}

bool ClientSession::must_wait() const {
  return !stream_.wants_output() ||
         std::any_of(pushes_.begin(), pushes_.end(), [&](const auto& entry) {
           return !services_.pushes.wants_data(entry.second.push);
         });
}

void ClientSession::read_messages() {
  while (!ended_ && !failed_ && !must_wait()) {
    const Result<std::optional<Message>> message = stream_.next();
    if (!message.ok()) {
      fail(message.error());
      return;
    }
    if (!message.value().has_value()) {
      return;
    }
    on_message(*message.value());
  }
}

void ClientSession::update_interest() {
  if (const Result<void> flushed = stream_.flush(); !flushed.ok()) {
    end();
    return;
  }
  if (failed_ && !stream_.has_output()) {
    end();
    return;
  }
  const bool read = !failed_ && !must_wait();
  const Interest interest = stream_.has_output() ? (read ? Interest::kReadWrite : Interest::kWrite)
                                                 : (read ? Interest::kRead : Interest::kNone);
  if (!services_.loop.change(socket_.get(), interest).ok()) {
    end();
  }
}

void ClientSession::on_message(const Message& message) {
  if (const auto* hello = std::get_if<Hello>(&message); hello != nullptr && !greeted_) {
    on(*hello);
  } else if (!greeted_) {
    fail(protocol_error("the first message was not Hello"));
  } else if (const auto* put = std::get_if<Put>(&message)) {
    on(*put);
  } else if (const auto* data = std::get_if<Data>(&message)) {
    on(*data);
  } else if (const auto* put_end = std::get_if<PutEnd>(&message)) {
    on(*put_end);
  } else if (const auto* fetch = std::get_if<Fetch>(&message)) {
    on(*fetch);
  } else if (const auto* query = std::get_if<StatusQuery>(&message)) {
    on(*query);
  } else if (const auto* hint = std::get_if<Restored>(&message)) {
    on(*hint);
  } else if (const auto* get = std::get_if<Get>(&message)) {
    on(*get);
  } else if (const auto* expire = std::get_if<ExpireQuery>(&message)) {
    on(*expire);
  } else if (const auto* claim = std::get_if<Claim>(&message)) {
    on(*claim);
  } else if (const auto* probe = std::get_if<ProbeQuery>(&message)) {
    on(*probe);
  } else if (const auto* reconcile = std::get_if<ReconcileQuery>(&message)) {
    on(*reconcile);
  } else {
    fail(protocol_error("a message that a client may not send"));
  }
}

void ClientSession::on(const Hello& hello) {
  if (const auto version = check_hello(mine_, hello); !version.ok()) {
    fail(version.error());
    return;
  }
  greeted_ = true;
  // Not written yet: a client that only leaves a hint has gone by now, and its hint still counts.
  stream_.send(mine_);
}

void ClientSession::on(const Put& put) {
  if (pushes_.contains(put.id)) {
    fail(protocol_error(id_text(put.id) + " is already open"));
    return;
  }
  if (pushes_.size() >= kOpenPutsMax) {
    fail(protocol_error("more than " + std::to_string(kOpenPutsMax) + " open Puts"));
    return;
  }
  const std::uint64_t id = put.id;
  pushes_.emplace(id, OpenPush{.name = put.name});
  if (services_.look_ahead != nullptr) {
    services_.look_ahead->client_began(put.name);
  }
  const PushId push = services_.pushes.begin(
      put, [weak = weak_from_this(), id](const Result<std::string>& verdict) {
        if (const auto session = weak.lock(); session && !session->ended_) {
          session->answer_push(id, verdict);
        }
      });
  if (const auto open = pushes_.find(id); open != pushes_.end()) {
    open->second.push = push;
  }
}

void ClientSession::answer_push(std::uint64_t id, const Result<std::string>& verdict) {
  const auto found = pushes_.find(id);
  found->second.answered = true;
  const WalName name = found->second.name;
  if (found->second.ended) {
    pushes_.erase(found);
  }
  tell_ended(name);
  answer(id, verdict);
}

void ClientSession::answer(std::uint64_t id, const Result<std::string>& verdict) {
  Done done{id, PutOutcome::kStored, {}, {}};
  if (!verdict.ok()) {
    done.error = verdict.error();
  } else {
    done.warning = verdict.value();
  }
  send(done);
}

void ClientSession::tell_ended(const WalName& name) {
  if (services_.look_ahead != nullptr) {
    services_.look_ahead->client_ended(name);
  }
}

// The Put whose file is still coming. Null, and the session over, when there is none.
ClientSession::OpenPush* ClientSession::coming(std::uint64_t id, std::string_view what) {
  const auto found = pushes_.find(id);
  if (found != pushes_.end() && !found->second.ended) {
    return &found->second;
  }
  fail(protocol_error(std::string(what) + " for " + id_text(id) +
                      (found == pushes_.end() ? ", which is not open" : " after its PutEnd")));
  return nullptr;
}

// What comes for a Put that was answered is ignored: the client may not have seen it yet.
void ClientSession::on(const Data& data) {
  const OpenPush* open = coming(data.id, "Data");
  if (open != nullptr && !open->answered) {
    services_.pushes.data(open->push, data.bytes);
  }
}

void ClientSession::on(const PutEnd& put_end) {
  OpenPush* open = coming(put_end.id, "PutEnd");
  if (open == nullptr) {
    return;
  }
  open->ended = true;
  if (open->answered) {
    pushes_.erase(put_end.id);
  } else {
    services_.pushes.end(open->push, put_end.file_crc32);
  }
}

bool ClientSession::take_question() {
  if (open_questions_ >= kOpenQuestionsMax) {
    fail(protocol_error("too many questions at once"));
    return false;
  }
  ++open_questions_;
  return true;
}

void ClientSession::on(const Fetch& fetch) {
  if (!take_question()) {
    return;
  }
  services_.fetches.fetch(
      fetch.name, std::chrono::milliseconds(fetch.wait_ms),
      [weak = weak_from_this(), id = fetch.id](const FetchEnded& ended) {
        if (const auto session = weak.lock(); session && !session->ended_) {
          --session->open_questions_;
          session->send(FetchResult{id, ended.verdict, ended.message, ended.hint});
        }
      });
}

void ClientSession::on(const StatusQuery& query) {
  if (!take_question()) {
    return;
  }
  services_.status(query.format, [weak = weak_from_this(), id = query.id](const std::string& json) {
    const auto session = weak.lock();
    if (!session || session->ended_) {
      return;
    }
    --session->open_questions_;
    for (std::size_t at = 0; at < json.size(); at += kStatusPieceBytes) {
      const ByteView piece = as_bytes(std::string_view(json).substr(at, kStatusPieceBytes));
      session->send(StatusReport{id, at + kStatusPieceBytes < json.size(),
                                 Bytes(piece.begin(), piece.end())});
    }
  });
}

void ClientSession::on(const Restored& hint) {
  services_.fetches.restored(hint.name, hint.segment_bytes);
}

void ClientSession::on(const Get& get) {
  if (!take_question()) {
    return;
  }
  services_.fetches.relay(get.name, relays_++,
                          [weak = weak_from_this(), id = get.id](const Message& message) {
                            const auto session = weak.lock();
                            if (!session || session->ended_ || session->failed_) {
                              return;
                            }
                            Message answer = message;
                            bool last = true;
                            if (auto* begin = std::get_if<GetBegin>(&answer)) {
                              begin->id = id;
                              last = false;
                            } else if (auto* data = std::get_if<Data>(&answer)) {
                              data->id = id;
                              last = false;
                            } else if (auto* end = std::get_if<GetEnd>(&answer)) {
                              end->id = id;
                            } else if (auto* done = std::get_if<Done>(&answer)) {
                              done->id = id;
                            }
                            session->open_questions_ -= last ? 1 : 0;
                            session->send(answer);
                            if (session->stream_.output_bytes() > kRelayedBytesMax) {
                              session->end();
                            }
                          });
}

void ClientSession::on(const ExpireQuery& query) {
  if (!take_question()) {
    return;
  }
  services_.expiry.expire(query, [weak = weak_from_this(), id = query.id](ExpireReport report) {
    if (const auto session = weak.lock(); session && !session->ended_) {
      session->open_questions_ -= report.outcome == ExpireOutcome::kRunning ? 0 : 1;
      report.id = id;
      session->send(report);
    }
  });
}

void ClientSession::on(const Claim& claim) {
  if (services_.look_ahead == nullptr) {
    send(ClaimDeclined{claim.id});
    return;
  }
  if (claims_.contains(claim.id)) {
    fail(protocol_error(id_text(claim.id) + " is already open"));
    return;
  }
  if (!take_question()) {
    return;
  }
  const std::uint64_t id = claim.id;
  claims_[id] = 0;
  const ClaimId open = services_.look_ahead->claim(
      claim.name, claim.stamp,
      [weak = weak_from_this(), id](const std::optional<Result<std::string>>& verdict) {
        const auto session = weak.lock();
        if (!session || session->ended_) {
          return;
        }
        --session->open_questions_;
        session->claims_.erase(id);
        if (verdict) {
          session->answer(id, *verdict);
        } else {
          session->send(ClaimDeclined{id});
        }
      });
  if (const auto waiting = claims_.find(id); waiting != claims_.end()) {
    waiting->second = open;
  }
}

template <typename Report>
void ClientSession::answer_report(std::uint64_t id, const Result<Report>& report) {
  if (report.ok()) {
    Report answer = report.value();
    answer.id = id;
    send(answer);
  } else {
    send(Done{id, PutOutcome::kStored, report.error(), {}});
  }
}

void ClientSession::on(const ProbeQuery& query) {
  if (!take_question()) {
    return;
  }
  services_.probes.probe(
      std::chrono::milliseconds(query.wait_ms),
      [weak = weak_from_this(), id = query.id](const Result<ProbeReport>& report) {
        if (const auto session = weak.lock(); session && !session->ended_) {
          --session->open_questions_;
          session->answer_report(id, report);
        }
      });
}

void ClientSession::on(const ReconcileQuery& query) {
  if (!take_question()) {
    return;
  }
  services_.reconciling.reconcile(
      query.peer, services_.loop.now(),
      [weak = weak_from_this(), id = query.id](const Result<ReconcileReport>& report) {
        if (const auto session = weak.lock(); session && !session->ended_) {
          session->open_questions_ -= !report.ok() || report.value().last ? 1 : 0;
          session->answer_report(id, report);
          return true;
        }
        return false;
      });
}

void ClientSession::send(const Message& message) {
  stream_.send(message);
  update_interest();
}

void ClientSession::fail(const Error& error) {
  failed_ = true;
  stream_.send(Failure{error});
}

}  // namespace pgwalship
