// [pacemaker] in the configuration file: known, checked, and of no effect on the daemon.
#include "cmd/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgwalship {
namespace {

TEST(PacemakerKeys, AreKnownAndSomeMayBeRepeated) {
  const auto config = parse_config(
      "[archive]\ndirectory = /a\n[pacemaker]\nclient-ip = 10.0.0.5/24\n"
      "fence = a fence_ipmilan ip=10.0.0.9\nfence = b fence_virsh\nclient = app app 10.0.0.0/8\n",
      "f.conf");
  EXPECT_TRUE(config.ok()) << config.error().message;
}

TEST(PacemakerKeys, AreCheckedForHowTheyAreWritten) {
  const auto config = parse_config(
      "[archive]\ndirectory = /a\n[pacemaker]\nclient-ip = 10.0.0.5\nfence = a\n"
      "postgres-tmp = tmp\ntoken = 3\nstickiness = much\nclient-ip = 10.0.0.6/24\nfenc = x\n",
      "f.conf");
  ASSERT_FALSE(config.ok());
  for (const char* said :
       {"f.conf:4: [pacemaker] client-ip: '10.0.0.5' is not an address with its prefix length",
        "f.conf:5: [pacemaker] fence: 'a' is not understood",
        "f.conf:6: [pacemaker] postgres-tmp: 'tmp' is not an absolute path",
        "f.conf:7: [pacemaker] token:", "f.conf:8: [pacemaker] stickiness:",
        "f.conf:9: [pacemaker] client-ip: given twice",
        "f.conf:10: [pacemaker] fenc: unknown key (HINT: did you mean 'fence'?)"}) {
    EXPECT_THAT(config.error().message, testing::HasSubstr(said));
  }
}

}  // namespace
}  // namespace pgwalship
