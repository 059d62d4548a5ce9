// The receiver's machine loses power, or an operation of its disk fails, at every step of a
// session.
#include "tests/transport/receiver_session.h"

#include <gtest/gtest.h>

#include <map>

namespace pgwalship {
namespace {

const std::vector<WalFile>& files() {
  static const std::vector<WalFile> made{history_file(2), wal_file(1), history_file(3)};
  return made;
}

// What the sender believes to be durable after it has sent all it has, some of it twice.
std::vector<WalFile> acknowledged_by(ReceiverSession& session) {
  std::vector<WalFile> acknowledged;
  if (!session.prepared() || session.say(sender_hello()).empty() || session.receiver().ended()) {
    return acknowledged;
  }
  std::uint64_t id = 0;
  for (const std::size_t i : {0, 1, 0, 2}) {
    const WalFile& file = files()[i];
    ++id;
    const std::optional<Done> done = only_done(session.put(id, file), id);
    EXPECT_TRUE(done.has_value()) << "each Put has one answer, whatever fails";
    if (done && !done->error) {
      acknowledged.push_back(file);
    }
  }
  return acknowledged;
}

void expect_intact(MemoryFileSystem& disk, const std::vector<WalFile>& acknowledged) {
  ArchiveStore store(disk, {.directory = "/archive", .seed = 77});
  for (const WalFile& file : acknowledged) {
    const auto facts = store.verify(file.name);
    ASSERT_TRUE(facts.ok()) << facts.error().message;
    EXPECT_EQ(facts.value().sha256, file.facts.sha256);
  }
}

std::uint64_t steps_of_a_session() {
  MemoryFileSystem disk;
  ReceiverSession session(disk);
  acknowledged_by(session);
  return disk.mutations();
}

TEST(ReceiverCrash, H1WhatWasAcknowledgedSurvivesAPowerFailureAtEveryStep) {
  const std::uint64_t steps = steps_of_a_session();
  ASSERT_GT(steps, 20U);
  for (std::uint64_t step = 0; step <= steps; ++step) {
    for (const std::uint64_t seed : {1, 2, 3}) {
      SCOPED_TRACE("step " + std::to_string(step) + " seed " + std::to_string(seed));
      MemoryFileSystem disk;
      std::vector<WalFile> acknowledged;
      {
        disk.halt_after(step);
        ReceiverSession session(disk);
        acknowledged = acknowledged_by(session);
        Random random(seed);
        disk.crash(random);
      }
      expect_intact(disk, acknowledged);
      ReceiverSession again(disk, 2);
      EXPECT_EQ(acknowledged_by(again).size(), 4U);
      expect_intact(disk, files());
      EXPECT_TRUE(disk.list("/archive/.pgwalship/tmp").value().empty());
    }
  }
}

TEST(ReceiverCrash, H3TheProcessDiesAtEveryStepAndTheNextSessionGoesOn) {
  const std::uint64_t steps = steps_of_a_session();
  for (std::uint64_t step = 0; step <= steps; ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    MemoryFileSystem disk;
    {
      disk.halt_after(step);
      ReceiverSession session(disk);
      acknowledged_by(session);
      disk.restart();
    }
    ReceiverSession again(disk, 2);
    const std::vector<WalFile> acknowledged = acknowledged_by(again);
    EXPECT_EQ(acknowledged.size(), 4U);
    Random random(step);
    disk.crash(random);
    expect_intact(disk, acknowledged);
  }
}

TEST(ReceiverCrash, H16AnyOperationMayFailOnceAndCostsAtMostOneRequest) {
  using Operation = MemoryFileSystem::Operation;
  for (const Operation operation :
       {Operation::kCreate, Operation::kOpen, Operation::kRead, Operation::kWrite, Operation::kSync,
        Operation::kLink, Operation::kRemove, Operation::kSyncDirectory, Operation::kStat}) {
    for (std::uint64_t after = 0; after < 20; ++after) {
      SCOPED_TRACE("operation " + std::to_string(static_cast<int>(operation)) + " after " +
                   std::to_string(after));
      MemoryFileSystem disk;
      ReceiverSession session(disk);
      session.greet();
      disk.fail({.operation = operation, .after = after});
      std::vector<WalFile> acknowledged;
      std::uint64_t id = 0;
      for (const std::size_t i : {0, 1, 0, 2}) {
        ++id;
        const std::optional<Done> done = only_done(session.put(id, files()[i]), id);
        ASSERT_TRUE(done.has_value());
        if (!done->error) {
          acknowledged.push_back(files()[i]);
        }
      }
      EXPECT_GE(acknowledged.size(), 3U);
      EXPECT_FALSE(session.receiver().ended());
      disk.clear_faults();
      Random random(after);
      disk.crash(random);
      expect_intact(disk, acknowledged);
    }
  }
}

}  // namespace
}  // namespace pgwalship
