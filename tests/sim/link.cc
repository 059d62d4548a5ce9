#include "tests/sim/link.h"

#include "transport/answers.h"

#include <utility>

namespace pgwalship::sim {

namespace {

// docs/protocol.md section 3: a peer that was silent for three intervals is lost.
constexpr milliseconds kKeepalive{3300};
constexpr seconds kConnectTimeout{2};

}  // namespace

Link::Link(Process& process, Options options) : process_(process), options_(std::move(options)) {
  schedule_attempt();
}

Link::~Link() {
  if (endpoint_) {
    endpoint_->close();
  }
}

void Link::schedule_attempt() {
  process_.after(process_.schedule().between(milliseconds(20), seconds(2)),
                 [this] { try_to_connect(); });
}

void Link::try_to_connect() {
  endpoint_ = options_.connect();
  if (!endpoint_) {
    process_.after(kConnectTimeout, [this] { lose("connect: timed out"); });
    return;
  }
  const std::uint64_t session = ++session_;
  decoder_ = FrameDecoder();
  heard_at_ = process_.schedule().now();
  endpoint_->on_change = [this] { on_change(); };
  queue_.add(options_.hello());
  pump();
  keep_alive(session);
}

void Link::keep_alive(std::uint64_t session) {
  process_.after(kKeepalive, [this, session] {
    if (session != session_ || !endpoint_) {
      return;
    }
    if (process_.schedule().now() - heard_at_ > 3 * kKeepalive) {
      lose("silent for too long");
      return;
    }
    if (is_up()) {
      queue_.add(Ping{session});
      pump();
    }
    keep_alive(session);
  });
}

void Link::on_change() {
  const std::uint64_t session = session_;
  while (endpoint_ && session == session_) {
    const std::optional<Bytes> bytes = endpoint_->receive();
    if (!bytes) {
      break;
    }
    heard_at_ = process_.schedule().now();
    decoder_.feed(*bytes);
    while (endpoint_ && session == session_) {
      auto frame = decoder_.next();
      CHECK(frame.ok());
      if (!frame.value()) {
        break;
      }
      auto message = decode(*frame.value());
      CHECK(message.ok());
      if (message.value()) {
        on_message(std::move(*message.value()));
      }
    }
  }
  if (endpoint_ && session == session_ && endpoint_->at_end()) {
    lose("connection closed");
    return;
  }
  pump();
}

void Link::on_message(Message message) {
  if (const auto* failure = std::get_if<Failure>(&message)) {
    lose(failure->error.message);
  } else if (auto* hello = std::get_if<Hello>(&message)) {
    if (const auto version = check_hello(options_.hello(), *hello); !version.ok()) {
      lose(version.error().message);
      return;
    }
    theirs_ = std::move(*hello);
    last_reason_.clear();
    options_.on_up(*theirs_);
  } else if (const auto id = answered_id(message)) {
    answer(*id, message);
  }
}

void Link::answer(std::uint64_t id, const Message& message) {
  const auto found = open_.find(id);
  if (found == open_.end()) {
    return;
  }
  const AnswerHandler handler = found->second;
  if (ends_request(message)) {
    open_.erase(found);
    queue_.drop_file(id);
  }
  handler(message);
}

void Link::request(const std::function<Message(std::uint64_t)>& make, AnswerHandler on_answer) {
  CHECK(is_up());
  const std::uint64_t id = next_id_++;
  open_.emplace(id, std::move(on_answer));
  queue_.add(make(id));
  pump();
}

void Link::send_file(OutgoingFile file, AnswerHandler on_answer) {
  CHECK(is_up());
  file.put.id = next_id_++;
  open_.emplace(file.put.id, std::move(on_answer));
  queue_.add(std::move(file));
  pump();
}

void Link::pump() {
  while (endpoint_ && endpoint_->has_room() && !queue_.empty()) {
    Bytes bytes;
    if (const auto unreadable = queue_.next(bytes)) {
      process_.after(Duration::zero(), [this, unreadable, session = session_] {
        if (session == session_) {
          Done done;
          done.id = unreadable->id;
          done.error = unreadable->error;
          answer(unreadable->id, done);
        }
      });
    }
    endpoint_->send(bytes);
  }
}

void Link::lose(const std::string& reason) {
  if (endpoint_) {
    std::exchange(endpoint_, nullptr)->close();
  }
  ++session_;
  queue_.clear();
  open_.clear();
  const bool was_up = theirs_.has_value();
  theirs_.reset();
  schedule_attempt();
  // One event per change of state, as the real link does (H48).
  if (was_up || reason != last_reason_) {
    last_reason_ = reason;
    options_.on_down(reason);
  }
}

}  // namespace pgwalship::sim
