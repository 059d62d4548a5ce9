#include "cmd/authorized_line.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

TEST(AuthorizedLine, LetsOneNodeReceiveAndNothingElse) {
  EXPECT_EQ(authorized_line({"/usr/bin/pgwalship", "", "pgdb1", "ssh-ed25519", "AAAA"}),
            "restrict,command=\"/usr/bin/pgwalship receive --from pgdb1\" ssh-ed25519 AAAA "
            "pgwalship@pgdb1");
}

TEST(AuthorizedLine, QuotesForTheShellAndForSshd) {
  EXPECT_EQ(authorized_line({"/opt/my tools/pgwalship", "/etc/a\"b.conf", "n", "t", "k"}),
            "restrict,command=\"'/opt/my tools/pgwalship' --config '/etc/a\\\"b.conf' receive "
            "--from n\" t k pgwalship@n");
}

}  // namespace
}  // namespace pgwalship
