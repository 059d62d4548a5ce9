// A link in this process whose other end is a real Receiver on a directory of its own: what a
// daemon sees of a peer, without sshd between. Loop thread only.
#pragma once

#include "base/check.h"
#include "base/posix_file_system.h"
#include "tests/support/manual_clock.h"
#include "transport/conversation.h"
#include "transport/receiver.h"

#include <memory>
#include <optional>
#include <string>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>

namespace pgwalship {

class ReceiverLink final : public PeerLink {
 public:
  struct Options {
    std::string self;  // the daemon's node
    std::string peer;
    std::string archive;  // the peer's directory
  };

  explicit ReceiverLink(Options options)
      : options_(std::move(options)),
        event_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        store_(file_system_, {.directory = options_.archive, .seed = 1}) {
    CHECK(event_fd_ >= 0 && store_.prepare().ok());
    connect();
  }
  ~ReceiverLink() override { ::close(event_fd_); }
  ReceiverLink(const ReceiverLink&) = delete;
  ReceiverLink& operator=(const ReceiverLink&) = delete;

  void connect() {
    index_.emplace(
        file_system_, clock_,
        LiveIndex::Options{
            .directory = options_.archive, .names = LiveIndex::Names::kDurable, .seed = 2},
        [](const Worker::Job& job) {
          job()();
          return true;
        });
    receiver_.emplace(store_, *index_, hello(Role::kReceiver, options_.peer), options_.self);
    talk_.emplace(Conversation::Options{.mine = hello(Role::kDaemon, options_.self),
                                        .peer = options_.peer,
                                        .keepalive = std::chrono::hours(1),
                                        .greeting_timeout = std::chrono::hours(1),
                                        .command_hint = ""},
                  clock_.now());
    to_receiver_ = FrameDecoder();
    ring();
  }
  void cut() {
    talk_.reset();
    down_ = true;
    ring();
  }
  // After so many more pieces of files nothing more comes from the peer; it is not gone, though.
  void stall_after(std::size_t pieces) { pieces_left_ = pieces; }
  void go_on() {
    pieces_left_.reset();
    ring();
  }

  ArchiveStore& store() { return store_; }

  // What is sent before the end of the session was heard of is void, as with the real link.
  void send(Message message) override {
    if (talk_) {
      talk_->add(std::move(message));
      ring();
    }
  }
  void send_file(OutgoingFile file) override {
    if (talk_) {
      talk_->add(std::move(file));
      ring();
    }
  }
  void greet_with(Hello /*mine*/) override {}
  int event_fd() const override { return event_fd_; }
  LinkCounters counters() const override { return {}; }

  std::optional<LinkEvent> next_event() override {
    if (std::exchange(down_, false)) {
      hush();
      return LinkDown{Error{Errc::kRetry, "cut by the test", ""}};
    }
    if (!talk_) {
      hush();
      return std::nullopt;
    }
    if (talk_->events().empty()) {
      pump();
    }
    if (talk_->events().empty()) {
      hush();
      return std::nullopt;
    }
    LinkEvent event = std::move(talk_->events().front());
    talk_->events().pop_front();
    return event;
  }

 private:
  static Hello hello(Role role, const std::string& node) {
    Hello hello;
    hello.role = role;
    hello.software = "pgwalship test";
    hello.cluster = "main";
    hello.node = node;
    return hello;
  }

  // All that is said, and one message of what is answered.
  void pump() {
    for (ByteView output = talk_->output(); !output.empty(); output = talk_->output()) {
      to_receiver_.feed(output);
      talk_->on_written(output.size());
      for (auto frame = to_receiver_.next().value(); frame; frame = to_receiver_.next().value()) {
        receiver_->on_message(decode(*frame).value().value());
      }
    }
    if (pieces_left_ == std::size_t{0}) {
      return;
    }
    if (receiver_->next_look() <= clock_.now()) {
      receiver_->look(clock_.now());
    }
    const std::optional<Message> answer = receiver_->next_output();
    if (!answer) {
      return;
    }
    if (pieces_left_ && std::holds_alternative<Data>(*answer)) {
      --*pieces_left_;
    }
    Bytes bytes;
    encode(*answer, bytes);
    CHECK(talk_->on_bytes(bytes, clock_.now()).ok());
  }

  void ring() const {
    const std::uint64_t one = 1;
    CHECK(::write(event_fd_, &one, sizeof one) == sizeof one);
  }
  void hush() const {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t bytes = ::read(event_fd_, &count, sizeof count);
  }

  const Options options_;
  const int event_fd_;
  PosixFileSystem file_system_;
  ManualClock clock_;
  ArchiveStore store_;
  std::optional<LiveIndex> index_;
  std::optional<Receiver> receiver_;
  std::optional<Conversation> talk_;  // nothing: cut
  FrameDecoder to_receiver_;
  bool down_ = false;
  std::optional<std::size_t> pieces_left_;
};

}  // namespace pgwalship
