#include "cmd/known_hosts.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

const PinnedKey kOne{"ssh-ed25519", "AAAAone"};
const PinnedKey kOther{"ssh-rsa", "AAAAother"};

TEST(KnownHosts, NamesAHostAsOpenSshDoes) {
  EXPECT_EQ(known_hosts_entry_name("pgdb1", 22), "pgdb1");
  EXPECT_EQ(known_hosts_entry_name("10.10.10.101", 2222), "[10.10.10.101]:2222");
}

TEST(KnownHosts, FindsWhatIsPinnedUnderExactlyThisName) {
  const std::string text =
      "# pgdb1 ssh-ed25519 AAAAcomment\n"
      "pgdb1,10.10.10.101 ssh-ed25519 AAAAone comment\n"
      "pgdb1 ssh-rsa AAAAother\n"
      "[pgdb1]:2222 ssh-ed25519 AAAAport\n"
      "@revoked pgdb1 ssh-ed25519 AAAArevoked\n"
      "pgdb1x ssh-ed25519 AAAAx\n"
      "broken\n";
  EXPECT_EQ(pinned_keys(text, "pgdb1"), (std::vector<PinnedKey>{kOne, kOther}));
  EXPECT_EQ(pinned_keys(text, "10.10.10.101"), std::vector<PinnedKey>{kOne});
  EXPECT_TRUE(pinned_keys(text, "pgdb2").empty());
  EXPECT_TRUE(pinned_keys("", "pgdb1").empty());
}

TEST(KnownHosts, AppendsAPinAfterALineWithoutItsEnd) {
  EXPECT_EQ(with_pinned_key("", "pgdb1", kOne), "pgdb1 ssh-ed25519 AAAAone\n");
  EXPECT_EQ(with_pinned_key("x ssh-rsa AA", "pgdb1", kOne),
            "x ssh-rsa AA\npgdb1 ssh-ed25519 AAAAone\n");
}

TEST(KnownHosts, TakesAwayOneNameAndNothingElse) {
  EXPECT_EQ(without_pinned_keys("# top\n"
                                "pgdb1 ssh-ed25519 AAAAone\n"
                                "pgdb1,10.0.0.1 ssh-rsa AAAAother\n"
                                "@revoked pgdb1 ssh-rsa AAAAbad\n"
                                "pgdb2 ssh-rsa AAAAother\n",
                                "pgdb1"),
            "# top\n"
            "10.0.0.1 ssh-rsa AAAAother\n"
            "@revoked pgdb1 ssh-rsa AAAAbad\n"
            "pgdb2 ssh-rsa AAAAother\n");
}

}  // namespace
}  // namespace pgwalship
