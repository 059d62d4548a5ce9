#include "cmd/exit_status.h"

#include <gtest/gtest.h>

#include <array>

namespace pgwalship {
namespace {

constexpr std::array kAllCodes = {
    Errc::kNotFound, Errc::kAlreadyExists, Errc::kConflict, Errc::kRetry, Errc::kTimeout,
    Errc::kProtocol, Errc::kCorrupt,       Errc::kNoSpace,  Errc::kIo,    Errc::kInvalid};

TEST(ExitStatus, H13PushNeverEndsAbove125NorWithSuccess) {
  for (const Errc code : kAllCodes) {
    EXPECT_GE(to_status(push_exit(code)), 1) << to_word(code);
    EXPECT_LE(to_status(push_exit(code)), 125) << to_word(code);
  }
}

TEST(ExitStatus, H13AnUnknownErrorOfThePushIsARetry) {
  EXPECT_EQ(push_exit(static_cast<Errc>(99)), PushExit::kRetry);
}

TEST(ExitStatus, PushTellsApartWhatTheOperatorMustTellApart) {
  EXPECT_EQ(to_status(PushExit::kDurable), 0);
  EXPECT_EQ(to_status(push_exit(Errc::kRetry)), 1);
  EXPECT_EQ(to_status(push_exit(Errc::kTimeout)), 1);
  EXPECT_EQ(to_status(push_exit(Errc::kIo)), 1);
  EXPECT_EQ(to_status(push_exit(Errc::kInvalid)), 2);
  EXPECT_EQ(to_status(push_exit(Errc::kConflict)), 3);
  EXPECT_EQ(to_status(push_exit(Errc::kNoSpace)), 4);
}

TEST(ExitStatus, FetchStopsRecoveryOnlyAbove125) {
  EXPECT_EQ(to_status(FetchExit::kFound), 0);
  EXPECT_EQ(to_status(FetchExit::kNotThere), 1);
  EXPECT_EQ(to_status(FetchExit::kUsage), 2);
  EXPECT_EQ(to_status(FetchExit::kStop), 255);
}

}  // namespace
}  // namespace pgwalship
