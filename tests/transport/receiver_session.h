// A Receiver over an archive on a disk in memory, and the words a sender says to it.
#pragma once

#include "tests/support/manual_clock.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/segment_builder.h"
#include "tests/transport/message_samples.h"
#include "transport/receiver.h"

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

namespace pgwalship {

inline constexpr const char* kSenderNode = "pgdb1.example.com";
inline constexpr const char* kReceiverNode = "pgdb2.example.com";

inline Hello sender_hello() {
  Hello hello = sample_hello();
  hello.node = kSenderNode;
  hello.system_id = kTestSystemId;
  return hello;
}

inline Hello receiver_hello() {
  Hello hello = sample_hello();
  hello.role = Role::kReceiver;
  hello.node = kReceiverNode;
  hello.capabilities = 0;
  return hello;
}

// An archive file and what a Put says about it.
struct WalFile {
  WalName name;
  FileFacts facts;
  Bytes bytes;
};

inline WalFile wal_file(std::uint32_t number, std::uint64_t seed = 1) {
  SegmentSpec spec;
  spec.lsn = std::uint64_t{number} * kSegmentBytesMin;
  spec.seed = seed;
  const Bytes raw = build_segment(spec);
  const WalName name = name_of(spec);
  return {name, facts_of(name, raw), build_archive_file(name, raw)};
}

// Small, where size does not matter.
inline WalFile history_file(std::uint32_t timeline) {
  const Bytes raw = build_history(timeline, timeline);
  char text[17];
  std::snprintf(text, sizeof text, "%08X.history", timeline);
  const WalName name = wal_name(text);
  return {name, facts_of(name, raw), build_archive_file(name, raw)};
}

// Of an asker whose archive is empty.
inline CompareRanges ask_for_all(std::uint64_t id) {
  return {id, {0, {{PlaceRange{}, RangeSummary{}}}}};
}

class ReceiverSession {
 public:
  explicit ReceiverSession(FileSystem& disk, std::uint64_t seed = 1)
      : store_(disk, {.directory = "/archive", .seed = seed}),
        prepared_(store_.prepare()),
        index_(disk, clock_,
               {.directory = "/archive",
                .names = LiveIndex::Names::kDurable,
                .seed = seed,
                .note_vanished =
                    [this](std::vector<WalName> names) {
                      return store_.note_vanished(std::move(names));
                    }},
               [this](Worker::Job job) { return look(std::move(job)); }),
        receiver_(store_, index_, receiver_hello(), kSenderNode) {}
  ReceiverSession(FileSystem& disk, OfferedFiles::Options own)
      : store_(disk, {.directory = "/archive", .seed = 1}),
        prepared_(store_.prepare()),
        index_(disk, clock_,
               {.directory = "/archive", .names = LiveIndex::Names::kDurable, .seed = 1},
               [this](Worker::Job job) { return look(std::move(job)); }),
        receiver_(store_, index_, receiver_hello(), kSenderNode,
                  std::make_unique<OfferedFiles>(disk, store_, std::move(own))) {}

  bool prepared() const { return prepared_.ok(); }
  ArchiveStore& store() { return store_; }
  Receiver& receiver() { return receiver_; }

  // From now on the looks at the archive wait until let_go().
  void hold_looks() { held_.emplace(); }
  void let_go() {
    const std::vector<Worker::Job> jobs = std::exchange(held_, std::nullopt).value();
    for (const Worker::Job& job : jobs) {
      job()();
    }
  }

  // Says it, and gives all that comes back.
  std::vector<Message> say(Message message) {
    receiver_.on_message(std::move(message));
    std::vector<Message> answers;
    while (std::optional<Message> answer = receiver_.next_output()) {
      answers.push_back(std::move(*answer));
    }
    return answers;
  }

  // The one answer, which must be an Answer.
  template <typename Answer>
  Answer ask(Message message) {
    std::vector<Message> answers = say(std::move(message));
    CHECK(answers.size() == 1);
    return std::get<Answer>(std::move(answers.front()));
  }

  Hello greet() { return ask<Hello>(sender_hello()); }

  // Put, Data, PutEnd; every answer on the way.
  std::vector<Message> put(std::uint64_t id, const WalFile& file) {
    std::vector<Message> answers = say(Put{id, file.name, file.bytes.size(), file.facts});
    const auto take = [&](std::vector<Message> more) {
      std::ranges::move(more, std::back_inserter(answers));
    };
    for (std::size_t at = 0; at < file.bytes.size(); at += kDataBytesMax) {
      const ByteView piece =
          ByteView(file.bytes).subspan(at, std::min(kDataBytesMax, file.bytes.size() - at));
      take(say(Data{id, Bytes(piece.begin(), piece.end())}));
    }
    take(say(PutEnd{id, crc32(0, file.bytes)}));
    return answers;
  }

 private:
  bool look(Worker::Job job) {
    if (held_) {
      held_->push_back(std::move(job));
    } else {
      job()();
    }
    return true;
  }

  ManualClock clock_;
  std::optional<std::vector<Worker::Job>> held_;
  ArchiveStore store_;
  Result<void> prepared_;
  LiveIndex index_;
  Receiver receiver_;
};

// The only answer, when it is Done for `id`; an empty one otherwise.
inline std::optional<Done> only_done(const std::vector<Message>& answers, std::uint64_t id) {
  if (answers.size() != 1 || !std::holds_alternative<Done>(answers[0]) ||
      std::get<Done>(answers[0]).id != id) {
    return std::nullopt;
  }
  return std::get<Done>(answers[0]);
}

inline bool is_done(const std::vector<Message>& answers, std::uint64_t id, PutOutcome outcome) {
  const std::optional<Done> done = only_done(answers, id);
  return done && !done->error && done->outcome == outcome;
}

inline bool is_refused(const std::vector<Message>& answers, std::uint64_t id, Errc code) {
  const std::optional<Done> done = only_done(answers, id);
  return done && done->error && done->error->code == code;
}

inline bool is_failure(const std::vector<Message>& answers, Errc code) {
  return answers.size() == 1 && std::holds_alternative<Failure>(answers[0]) &&
         std::get<Failure>(answers[0]).error.code == code;
}

}  // namespace pgwalship
