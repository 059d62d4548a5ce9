#include "base/result.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace pgwalship {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) {
    return Error{Errc::kInvalid, "halve: odd number", "give an even one"};
  }
  return number / 2;
}

Result<int> quarter(int number) {
  TRY_ASSIGN(const int once, half(number));
  TRY_ASSIGN(const int twice, half(once));
  return twice;
}

Result<void> check_quarter(int number) {
  TRY(quarter(number));
  return {};
}

TEST(Result, TryGoesOnWithTheValue) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_TRUE(check_quarter(12).ok());
}

TEST(Result, TryReturnsTheFirstError) {
  EXPECT_EQ(quarter(6).error().message, "halve: odd number");
  EXPECT_EQ(check_quarter(7).error().code, Errc::kInvalid);
}

TEST(Result, CarriesWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(5));
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 5);
}

TEST(Result, TemporaryResultOutlivesTheLoopOverIt) {
  const auto numbers = [] { return Result<std::vector<int>>(std::vector<int>{1, 2, 3}); };
  int sum = 0;
  for (const int number : numbers().value()) {
    sum += number;
  }
  EXPECT_EQ(sum, 6);
}

TEST(ResultDeathTest, ValueOfAnErrorIsABrokenInvariant) {
  EXPECT_DEATH(half(1).value(), "broken invariant: ok\\(\\)");
}

TEST(Error, GainsContextInFrontAndKeepsCodeAndHint) {
  const Error error = half(1).error().within("store A");
  EXPECT_EQ(error.message, "store A: halve: odd number");
  EXPECT_EQ(error.code, Errc::kInvalid);
  EXPECT_EQ(error.text(), "store A: halve: odd number\nHINT: give an even one");
}

TEST(Error, TextWithoutHintIsTheMessage) {
  EXPECT_EQ((Error{Errc::kIo, "fsync 'f': Input/output error", {}}).text(),
            "fsync 'f': Input/output error");
}

TEST(Errc, EveryCodeHasAWordOfItsOwn) {
  std::vector<std::string_view> words;
  for (int code = 0; code <= static_cast<int>(Errc::kInvalid); ++code) {
    words.push_back(to_word(static_cast<Errc>(code)));
  }
  std::sort(words.begin(), words.end());
  EXPECT_EQ(std::unique(words.begin(), words.end()), words.end());
  EXPECT_EQ(std::count(words.begin(), words.end(), "unknown"), 0);
  EXPECT_EQ(to_word(Errc::kAlreadyExists), "already_exists");
}

}  // namespace
}  // namespace pgwalship
