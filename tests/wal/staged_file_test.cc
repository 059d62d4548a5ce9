// What is staged is verified as it comes, or when it is committed: both see the same (G4).
#include "tests/wal/archive_store_fixture.h"

#include <gmock/gmock.h>

namespace pgwalship {
namespace {

using testing::HasSubstr;

class StagedFileTest : public ArchiveStoreTest {
 protected:
  RawSink note() {
    return [this](ByteView raw) -> Result<void> {
      handed_on_.insert(handed_on_.end(), raw.begin(), raw.end());
      return {};
    };
  }
  // In pieces of that size.
  Result<PutOutcome> put_as_it_comes(const WalName& name, ByteView file, std::size_t piece) {
    TRY_ASSIGN(const auto staged, store_.stage(name));
    staged->verify_as_it_comes(note());
    for (std::size_t at = 0; at < file.size(); at += piece) {
      TRY(staged->append(file.subspan(at, std::min(piece, file.size() - at))));
    }
    claimed_ = staged->claimed();
    ArchiveStore::Expected expected = announced(file);
    expected.content = ArchiveStore::Content::kVerify;
    return store_.commit(*staged, expected);
  }

  Bytes handed_on_;
  std::optional<FileFacts> claimed_;
};

TEST_F(StagedFileTest, HandsOnTheContentAsItComesWhateverThePieces) {
  for (const std::size_t piece : {std::size_t{1} << 20, std::size_t{40'000}, std::size_t{333}}) {
    handed_on_.clear();
    ASSERT_TRUE(put_as_it_comes(name_, file_, piece).ok());
    EXPECT_EQ(handed_on_, raw_);
    ASSERT_TRUE(claimed_.has_value());
    EXPECT_EQ(claimed_->sha256, sha256(raw_));
    std::filesystem::remove(path(name_));
  }
}

TEST_F(StagedFileTest, AFileShorterThanAnyHeaderIsVerifiedAtItsEnd) {
  const WalName history = WalName::parse("00000002.history").value();
  const Bytes text = [] {
    const ByteView view =
        as_bytes(std::string_view("1\t0/3000000\tno recovery target specified\n"));
    return Bytes(view.begin(), view.end());
  }();
  const Bytes file = build_archive_file(history, text);
  ASSERT_LT(file.size(), kGzipHeaderBytesMax);
  ASSERT_TRUE(put_as_it_comes(history, file, 7).ok());
  EXPECT_EQ(handed_on_, text);
}

TEST_F(StagedFileTest, H28ContentThatIsNotWhatTheHeaderSaysGetsNoName) {
  Bytes other = raw_;
  other[other.size() / 2] ^= std::byte{1};
  Bytes file = build_archive_file(name_, other);
  // The header of the right content before the wrong one: only unpacking shows it.
  const Bytes good = build_archive_file(name_, raw_);
  const std::size_t header_bytes = parse_gzip_header(good).value().header_bytes;
  std::copy_n(good.begin(), header_bytes, file.begin());
  EXPECT_THAT(expect_error(put_as_it_comes(name_, file, 4096), Errc::kCorrupt),
              HasSubstr("its content has SHA-256"));
  EXPECT_FALSE(std::filesystem::exists(path(name_)));
}

TEST_F(StagedFileTest, WhatCannotBeUnpackedGetsNoNameAndTheRestIsTakenAllTheSame) {
  Bytes file = file_;
  file[file.size() / 2] ^= std::byte{0xFF};
  expect_error(put_as_it_comes(name_, file, 4096), Errc::kCorrupt);
  Bytes short_file(file_.begin(), file_.end() - 20);
  expect_error(put_as_it_comes(name_, short_file, 4096), Errc::kCorrupt);
  const Bytes no_gzip(2000, std::byte{'x'});
  expect_error(put_as_it_comes(name_, no_gzip, 4096), Errc::kCorrupt);
}

TEST_F(StagedFileTest, ALegacyFileVouchesForNothingButItsContent) {
  ASSERT_TRUE(put_as_it_comes(name_, build_legacy_file(raw_, {}), 4096).ok());
  EXPECT_FALSE(claimed_.has_value());
  EXPECT_EQ(handed_on_, raw_);
}

TEST_F(StagedFileTest, AFailureOfWhoTakesTheContentFailsTheCommit) {
  const auto staged = store_.stage(name_);
  ASSERT_TRUE(staged.ok());
  staged.value()->verify_as_it_comes([](ByteView) { return Error{Errc::kIo, "no more", ""}; });
  ASSERT_TRUE(staged.value()->append(file_).ok());
  ArchiveStore::Expected expected = announced(file_);
  expected.content = ArchiveStore::Content::kVerify;
  EXPECT_THAT(expect_error(store_.commit(*staged.value(), expected), Errc::kIo),
              HasSubstr("no more"));
}

}  // namespace
}  // namespace pgwalship
