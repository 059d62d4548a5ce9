#include "tests/transport/message_samples.h"
#include "transport/messages.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

Hello receiver_hello() {
  Hello hello = sample_hello();
  hello.role = Role::kReceiver;
  hello.node = "pgdb2.example.com";
  return hello;
}

TEST(CheckHello, AgreesOnVersionOne) {
  const auto version = check_hello(receiver_hello(), sample_hello());
  ASSERT_TRUE(version.ok()) << version.error().text();
  EXPECT_EQ(version.value(), 1);
}

TEST(CheckHello, H45SpeaksTheLowerVersion) {
  Hello newer = sample_hello();
  newer.version = 2;
  newer.version_min = 1;
  EXPECT_EQ(check_hello(receiver_hello(), newer).value(), 1);
  Hello newer_here = receiver_hello();
  newer_here.version = 3;
  newer_here.version_min = 2;
  EXPECT_EQ(check_hello(newer_here, newer).value(), 2);
}

TEST(CheckHello, H45RefusesWhenNoVersionIsCommon) {
  Hello newer = sample_hello();
  newer.version = 3;
  newer.version_min = 2;
  const auto refused = check_hello(receiver_hello(), newer);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::kInvalid);
  EXPECT_NE(refused.error().message.find("2 to 3"), std::string::npos);
  EXPECT_NE(refused.error().hint.find("upgrade pgwalship on 'pgdb2.example.com'"),
            std::string::npos);
  EXPECT_FALSE(check_hello(newer, receiver_hello()).ok());
  Hello nonsense = sample_hello();
  nonsense.version = 0;
  nonsense.version_min = 0;
  EXPECT_FALSE(check_hello(receiver_hello(), nonsense).ok());
}

TEST(CheckHello, H11RefusesAForeignSystemIdentifier) {
  Hello foreign = sample_hello();
  foreign.system_id += 1;
  const auto refused = check_hello(receiver_hello(), foreign);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::kInvalid);
  EXPECT_NE(refused.error().message.find(std::to_string(foreign.system_id)), std::string::npos);
  EXPECT_FALSE(refused.error().hint.empty());
}

TEST(CheckHello, AcceptsAnArchiveThatHasNoIdentifierYet) {
  Hello fresh = sample_hello();
  fresh.system_id = 0;
  EXPECT_TRUE(check_hello(receiver_hello(), fresh).ok());
  EXPECT_TRUE(check_hello(fresh, receiver_hello()).ok());
}

TEST(CheckHello, RefusesAnotherCluster) {
  Hello other = sample_hello();
  other.cluster = "test";
  const auto refused = check_hello(receiver_hello(), other);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("'test'"), std::string::npos);
}

TEST(CheckHello, H43AcceptsADifferentConfiguration) {
  Hello different = sample_hello();
  different.config_digest ^= 1;
  EXPECT_TRUE(check_hello(receiver_hello(), different).ok());
}

TEST(CheckHello, RefusesRolesThatDoNotTalkToEachOther) {
  const Role roles[] = {Role::kClient, Role::kDaemon, Role::kReceiver, Role::kAnsweringDaemon};
  int accepted = 0;
  for (const Role mine : roles) {
    for (const Role theirs : roles) {
      Hello one = sample_hello();
      Hello other = receiver_hello();
      one.role = mine;
      other.role = theirs;
      accepted += check_hello(one, other).ok() ? 1 : 0;
    }
  }
  EXPECT_EQ(accepted, 4);
  EXPECT_TRUE(check_hello(receiver_hello(), sample_hello()).ok());
}

}  // namespace
}  // namespace pgwalship
