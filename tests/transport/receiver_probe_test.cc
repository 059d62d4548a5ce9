#include "tests/transport/receiver_session.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

class ProbedReceiver : public testing::Test {
 protected:
  void SetUp() override { session_.greet(); }

  MemoryFileSystem disk_;
  ReceiverSession session_{disk_};
};

TEST_F(ProbedReceiver, ReadsBackWhatItWroteAndLeavesNothing) {
  const Bytes bytes(1000, std::byte{0x5A});
  EXPECT_EQ(session_.ask<ProbeAnswer>(Probe{1, bytes}).bytes, bytes);
  EXPECT_TRUE(session_.store().list().value().empty());
  EXPECT_EQ(session_.ask<ProbeAnswer>(Probe{1, bytes}).bytes, bytes) << "the id is free again";
}

TEST_F(ProbedReceiver, RefusesAProbeThatTheDiskDoesNotTake) {
  disk_.fail({.operation = MemoryFileSystem::Operation::kSync});
  EXPECT_TRUE(is_refused(session_.say(Probe{1, Bytes(10)}), 1, Errc::kIo));
}

}  // namespace
}  // namespace pgwalship
