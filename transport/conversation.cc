#include "transport/conversation.h"

#include <algorithm>
#include <utility>

namespace pgwalship {

namespace {

// Encoded and not yet taken by the connection: enough for large writes; what comes later, and may
// be more urgent, waits behind it.
constexpr std::size_t kOutputBytesMax = 256 * 1024;
// Of what is no greeting, for the error.
constexpr std::size_t kHeardBytesMax = 80;

// Answers that go up. Requests are not for a sender.
bool is_answer(const Message& message) {
  return std::holds_alternative<Done>(message) || std::holds_alternative<StatResult>(message) ||
         std::holds_alternative<GetBegin>(message) || std::holds_alternative<Data>(message) ||
         std::holds_alternative<GetEnd>(message) ||
         std::holds_alternative<CompareResult>(message) ||
         std::holds_alternative<OfferDeclined>(message) ||
         std::holds_alternative<ProbeAnswer>(message) ||
         std::holds_alternative<MachineFacts>(message);
}

std::string printable(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
    text.pop_back();
  }
  std::replace_if(
      text.begin(), text.end(),
      [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e;
      },
      '?');
  return text;
}

}  // namespace

Conversation::Conversation(Options options, TimePoint now)
    : options_(std::move(options)), greeting_deadline_(now + options_.greeting_timeout) {
  queue_.add(options_.mine);
}

Result<void> Conversation::on_bytes(ByteView bytes, TimePoint now) {
  if (!greeted() && heard_.size() < kHeardBytesMax) {
    heard_ += as_text(bytes.first(std::min(bytes.size(), kHeardBytesMax - heard_.size())));
  }
  on_life(now);
  decoder_.feed(bytes);
  for (;;) {
    Result<std::optional<Frame>> frame = decoder_.next();
    if (!frame.ok()) {
      return greeted() ? frame.error().within("receiver on " + options_.peer)
                       : not_a_receiver("answers with something else than a greeting");
    }
    if (!frame.value()) {
      return {};
    }
    Result<std::optional<Message>> message = decode(*frame.value());
    if (!message.ok()) {
      return message.error().within("receiver on " + options_.peer);
    }
    if (message.value()) {
      TRY(on_message(std::move(*message.value()), now));
    }
  }
}

Result<void> Conversation::on_message(Message message, TimePoint now) {
  if (auto* failure = std::get_if<Failure>(&message)) {
    return failure->error.within("receiver on " + options_.peer);
  }
  if (auto* hello = std::get_if<Hello>(&message); hello != nullptr && !greeted()) {
    return on_hello(std::move(*hello), now);
  }
  if (!greeted()) {
    return Error{Errc::kProtocol, "receiver on " + options_.peer + " does not greet first", ""};
  }
  if (const auto* pong = std::get_if<Pong>(&message)) {
    if (const auto round_trip = keepalive_->on_pong(pong->number, now)) {
      round_trip_ = round_trip;
    }
    return {};
  }
  if (const auto* done = std::get_if<Done>(&message)) {
    queue_.drop_file(done->id);
  }
  if (!is_answer(message)) {
    return Error{Errc::kProtocol, "receiver on " + options_.peer + " sent what is no answer", ""};
  }
  events_.emplace_back(std::move(message));
  return {};
}

Result<void> Conversation::on_hello(Hello theirs, TimePoint now) {
  TRY(check_greeting(theirs));
  if (theirs.node != options_.peer) {
    return Error{Errc::kInvalid,
                 "node '" + theirs.node + "' answers where '" + options_.peer + "' should",
                 "check address= of " + options_.peer +
                     " in the configuration here, and node-name "
                     "in the configuration there"};
  }
  keepalive_.emplace(options_.keepalive, now);
  theirs_ = theirs;
  events_.emplace_back(LinkUp{std::move(theirs)});
  return {};
}

Result<void> Conversation::on_own_hello(Hello mine) {
  options_.mine = std::move(mine);
  return theirs_ ? check_greeting(*theirs_) : Result<void>();
}

Result<void> Conversation::check_greeting(const Hello& theirs) const {
  if (const auto version = check_hello(options_.mine, theirs); !version.ok()) {
    return version.error().within("greeting of " + options_.peer);
  }
  return {};
}

Error Conversation::on_end(Error reason) const {
  if (greeted() || heard_.empty()) {
    return reason;
  }
  Error error = not_a_receiver("ended without a greeting");
  error.message += "; " + reason.message;
  return error;
}

Error Conversation::not_a_receiver(std::string_view why) const {
  return Error{Errc::kProtocol,
               "what runs on " + options_.peer + " is no pgwalship receiver: it " +
                   std::string(why) + " ('" + printable(heard_) + "')",
               options_.command_hint};
}

void Conversation::on_life(TimePoint now) {
  if (keepalive_) {
    keepalive_->on_life(now);
  }
}

void Conversation::tick(TimePoint now) {
  if (!keepalive_) {
    return;
  }
  if (const auto number = keepalive_->ping(now)) {
    queue_.add(Ping{*number});
  }
}

Result<void> Conversation::check_alive(TimePoint now) const {
  const auto milliseconds = [](Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
  };
  if (!keepalive_ && now >= greeting_deadline_) {
    return Error{Errc::kTimeout,
                 "receiver on " + options_.peer + " does not greet within " +
                     milliseconds(options_.greeting_timeout) + " ms",
                 options_.command_hint};
  }
  if (keepalive_ && keepalive_->is_lost(now)) {
    return Error{Errc::kTimeout,
                 "receiver on " + options_.peer + " is silent for " +
                     milliseconds(now - keepalive_->last_life()) + " ms",
                 "is " + options_.peer + " overloaded or stopped, or the network broken?"};
  }
  return {};
}

TimePoint Conversation::next_wakeup() const {
  return keepalive_ ? keepalive_->next_wakeup() : greeting_deadline_;
}

ByteView Conversation::output() {
  if (written_ == output_.size()) {
    output_.clear();
    written_ = 0;
    while (output_.size() < kOutputBytesMax && !queue_.empty()) {
      if (auto unreadable = queue_.next(output_)) {
        Done done{};
        done.id = unreadable->id;
        done.error = std::move(unreadable->error);
        events_.emplace_back(Message(std::move(done)));
      }
    }
  }
  return ByteView(output_).subspan(written_);
}

void Conversation::on_written(std::size_t bytes) {
  written_ += bytes;
}

}  // namespace pgwalship
