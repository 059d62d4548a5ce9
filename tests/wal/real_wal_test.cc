// What the walk finds in WAL that PostgreSQL wrote, beside what pg_waldump finds in it.
#include "tests/support/throwaway_postgres.h"
#include "wal/segment_difference.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>

namespace pgwalship {
namespace {

using Kind = Difference::Kind;

Bytes content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const ByteView view = as_bytes(text);
  return Bytes(view.begin(), view.end());
}

std::uint64_t lsn_of(const std::string& text) {
  const std::size_t slash = text.find('/');
  return std::stoull(text.substr(0, slash), nullptr, 16) << 32 |
         std::stoull(text.substr(slash + 1), nullptr, 16);
}

struct Dump {
  std::uint64_t records = 0;
  std::uint64_t last = 0;
  std::vector<std::string> lines;
};

Dump dump(const ThrowawayPostgres& postgres, const std::string& path) {
  static const std::regex kRecord("^rmgr: .* lsn: ([0-9A-F]+/[0-9A-F]+), .*");
  Dump result;
  std::istringstream text(postgres.waldump(path));
  std::smatch match;
  for (std::string line; std::getline(text, line);) {
    if (std::regex_match(line, match, kRecord)) {
      ++result.records;
      result.last = lsn_of(match[1]);
      result.lines.push_back(line);
    }
  }
  return result;
}

Difference compare(const std::string& name, const Bytes& kept, const Bytes& refused) {
  const auto once = [](const Bytes& bytes) -> PieceSource {
    return [rest = ByteView(bytes)]() mutable -> Result<ByteView> {
      return std::exchange(rest, ByteView());
    };
  };
  return compare_contents(WalName::parse(name).value(), once(kept), once(refused)).value();
}

class RealWal : public testing::Test {
 protected:
  void SetUp() override {
    if (!ThrowawayPostgres::available()) {
      GTEST_SKIP() << "PostgreSQL 15 is not installed";
    }
    postgres_ = std::make_unique<ThrowawayPostgres>("wal_keep_size = 16MB\n");
    postgres_->execute("CREATE TABLE t (a text)");
  }

  void write(ThrowawayPostgres& server, const std::string& what) {
    server.execute("INSERT INTO t SELECT repeat('" + what +
                   "', i % 900) FROM generate_series(1, 2000) i");
  }
  static std::string path(const ThrowawayPostgres& server, const std::string& segment) {
    return server.data_directory() + "/pg_wal/" + segment;
  }
  static std::vector<std::string> segments(const ThrowawayPostgres& server) {
    std::vector<std::string> names;
    for (const auto& entry :
         std::filesystem::directory_iterator(server.data_directory() + "/pg_wal")) {
      if (const auto name = WalName::parse(entry.path().filename().string());
          name.ok() && name.value().kind() == WalKind::kSegment) {
        names.push_back(name.value().text());
      }
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  // The one that is being written.
  static std::string current(ThrowawayPostgres& server) {
    const std::string out = server.file("current");
    server.execute("COPY (SELECT pg_walfile_name(pg_current_wal_insert_lsn())) TO '" + out + "'");
    std::ifstream file(out);
    std::string name;
    std::getline(file, name);
    return name;
  }

  std::unique_ptr<ThrowawayPostgres> postgres_;
};

TEST_F(RealWal, EndsWherePgWaldumpEnds) {
  for (int round = 0; round < 6; ++round) {
    write(*postgres_, std::string(1, static_cast<char>('a' + round)));
    if (round % 2 == 1) {
      postgres_->execute("SELECT pg_switch_wal()");
      postgres_->execute("CHECKPOINT");
    }
  }
  const std::string last = current(*postgres_);
  postgres_->stop();
  int walked_segments = 0;
  bool continued = false;
  bool switched = false;
  for (const std::string& name : segments(*postgres_)) {
    if (name > last) {
      continue;  // recycled under a name that is to come
    }
    RecordWalk walk;
    walk.write(content(path(*postgres_, name)));
    walk.finish();
    const Dump dumped = dump(*postgres_, path(*postgres_, name));
    EXPECT_EQ(walk.last_record(), dumped.last) << name << " " << to_words(walk.end());
    EXPECT_EQ(walk.records(), dumped.records) << name;
    continued = continued || walk.end() == RecordWalk::End::kContinued;
    switched = switched || walk.end() == RecordWalk::End::kSwitch;
    ++walked_segments;
  }
  EXPECT_GT(walked_segments, 4);
  EXPECT_TRUE(continued);
  EXPECT_TRUE(switched);
}

TEST_F(RealWal, H39TwoServersOnOneTimelineDivergeWhereTheirRecordsDo) {
  postgres_->execute("CHECKPOINT");
  const std::string name = current(*postgres_);
  postgres_->stop();
  const auto clone = ThrowawayPostgres::clone_of(*postgres_);
  postgres_->start();
  postgres_->execute("SELECT pg_logical_emit_message(false, 'one', repeat('1', 50))");
  clone->execute("SELECT pg_logical_emit_message(false, 'another', repeat('2', 70))");
  postgres_->stop();
  clone->stop();
  const Dump one = dump(*postgres_, path(*postgres_, name));
  const Dump other = dump(*clone, path(*clone, name));
  const auto fork =
      std::mismatch(one.lines.begin(), one.lines.end(), other.lines.begin(), other.lines.end());
  ASSERT_NE(fork.first, one.lines.end());
  static const std::regex kLsn(".* lsn: ([0-9A-F]+/[0-9A-F]+), .*");
  std::smatch match;
  ASSERT_TRUE(std::regex_match(*fork.first, match, kLsn));

  const Difference found =
      compare(name, content(path(*postgres_, name)), content(path(*clone, name)));
  EXPECT_EQ(found.kind, Kind::kDiverged);
  EXPECT_EQ(lsn_text(found.lsn), lsn_text(lsn_of(match[1])));
}

TEST_F(RealWal, H6TheSameRecordsInFilesThatHadHeldOtherSegments) {
  write(*postgres_, "x");
  postgres_->stop();
  const std::vector<std::string> names = segments(*postgres_);
  std::string name;
  RecordWalk walk;
  for (const std::string& each : names) {
    RecordWalk next;
    next.write(content(path(*postgres_, each)));
    next.finish();
    if (next.records() > 0 && next.end() != RecordWalk::End::kContinued) {
      name = each;
      walk = next;
    }
  }
  ASSERT_FALSE(name.empty());
  const Bytes kept = content(path(*postgres_, name));
  const Bytes older = content(path(*postgres_, names.front()));
  const auto used = static_cast<std::ptrdiff_t>(walk.records_end() - walk.start_lsn());
  ASSERT_LT(used, static_cast<std::ptrdiff_t>(kept.size()));
  Bytes refused = kept;
  std::copy(older.begin() + used, older.end(), refused.begin() + used);
  ASSERT_NE(kept, refused);
  const Difference found = compare(name, kept, refused);
  EXPECT_EQ(found.kind, Kind::kSameRecords);
  EXPECT_EQ(found.lsn, walk.records_end());
}

TEST_F(RealWal, H9AnUnfinishedSegmentIsAPrefixOfTheFinishedOne) {
  const std::string name = current(*postgres_);
  const Bytes partial = content(path(*postgres_, name));
  write(*postgres_, "x");
  write(*postgres_, "y");
  postgres_->stop();
  const Difference found = compare(name, partial, content(path(*postgres_, name)));
  EXPECT_EQ(found.kind, Kind::kPrefix);
  EXPECT_EQ(found.shorter, Side::kKept);
  EXPECT_GT(found.lsn, WalName::parse(name).value().start_lsn(kSegmentBytesMin));
}

}  // namespace
}  // namespace pgwalship
