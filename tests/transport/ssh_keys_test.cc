#include "transport/ssh_keys.h"

#include "tests/support/throwaway_sshd.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <sstream>

namespace pgwalship {
namespace {

std::string output_of(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  std::string output;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
    output += static_cast<char>(c);
  }
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return output;
}

TEST(SshKeys, MakesKeysThatOpenSshReads) {
  if (!ThrowawaySshd::available()) {
    GTEST_SKIP() << "no openssh-server";
  }
  const TempDir directory;
  const std::string text = make_private_key().value();
  std::ofstream(directory.file("key")) << text;
  ASSERT_EQ(output_of("chmod 600 " + directory.file("key")), "");
  const SshPublicKey key = public_key_of(text).value();
  EXPECT_EQ(key.type, "ssh-ed25519");
  EXPECT_TRUE(output_of("ssh-keygen -y -f " + directory.file("key"))
                  .starts_with(key.type + " " + key.base64));
  EXPECT_NE(output_of("ssh-keygen -lf " + directory.file("key")).find(" " + key.fingerprint + " "),
            std::string::npos);
  EXPECT_NE(make_private_key().value(), text);
}

TEST(SshKeys, ReadsAPublicKeyAsItStandsInKnownHosts) {
  const SshPublicKey key = public_key_of(make_private_key().value()).value();
  EXPECT_EQ(parse_public_key(key.type, key.base64).value(), key);
  EXPECT_EQ(parse_public_key(key.type, "AAAA").error().code, Errc::kInvalid);
}

TEST(SshKeys, SaysWhatIsNoPrivateKey) {
  EXPECT_EQ(public_key_of("nonsense").error().code, Errc::kInvalid);
}

TEST(SshKeys, FetchesTheKeyThatAHostShows) {
  if (!ThrowawaySshd::available()) {
    GTEST_SKIP() << "no openssh-server";
  }
  ThrowawaySshd sshd("true");
  SshSession::Options options;
  options.host = sshd.host();
  options.port = sshd.port();
  options.user = sshd.user();
  const SshPublicKey key = fetch_host_key(options).value();
  std::ifstream pinned(sshd.known_hosts());
  std::string name;
  SshPublicKey expected;
  pinned >> name >> expected.type >> expected.base64;
  EXPECT_EQ(key.type, expected.type);
  EXPECT_EQ(key.base64, expected.base64);

  sshd.stop();
  EXPECT_EQ(fetch_host_key(options).error().code, Errc::kRetry);
}

}  // namespace
}  // namespace pgwalship
