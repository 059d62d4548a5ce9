// The verb conflicts, as a person runs it: on an archive, without a daemon.
#include "base/posix_file_system.h"
#include "tests/cmd/node_directory.h"
#include "tests/support/record_builder.h"
#include "wal/archive_store.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace pgwalship {
namespace {

Bytes written(std::uint64_t last) {
  RecordBuilder builder({});
  builder.add(500, 1);
  builder.add(100, last);
  return builder.build();
}

class ConflictsProcess : public testing::Test {
 protected:
  ConflictsProcess() { EXPECT_TRUE(store_.prepare().ok()); }

  bool put(ByteView raw, const std::string& origin) {
    const Bytes file = build_archive_file(name_, raw, origin);
    auto staged = store_.stage(name_).value();
    EXPECT_TRUE(staged->append(file).ok());
    return store_.commit(*staged, {.file_bytes = file.size(), .file_crc32 = crc32(0, file)}).ok();
  }
  void make_conflict() {
    EXPECT_TRUE(put(first_, "pgdb1"));
    EXPECT_FALSE(put(second_, "pgdb2"));
  }
  ProgramEnd run(std::vector<std::string> words) {
    words.insert(words.begin(), "conflicts");
    return node_.run(std::move(words));
  }
  ProgramEnd resolve(const std::string& keep, std::vector<std::string> more = {}) {
    std::vector<std::string> words{"resolve", name_.text(), "--keep", keep};
    words.insert(words.end(), more.begin(), more.end());
    return run(std::move(words));
  }
  Sha256 archived() const { return store_.verify(name_).value().sha256; }
  static std::string digits(ByteView raw) { return sha256(raw).hex().substr(0, 12); }

  NodeDirectory node_;
  PosixFileSystem file_system_;
  ArchiveStore store_{file_system_, {.directory = node_.archive(), .seed = 1}};
  const WalName name_ = name_of({});
  const Bytes first_ = written(1);
  const Bytes second_ = written(2);
};

TEST_F(ConflictsProcess, WithoutAnyItSaysSo) {
  const ProgramEnd end = run({});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(end.out, "no conflicts in '" + node_.archive() + "'\n");
  EXPECT_EQ(run({"show", name_.text()}).status, 1);
  EXPECT_EQ(run({"show", "nonsense"}).status, 2);
  EXPECT_EQ(run({"drop", name_.text()}).status, 2);
}

TEST_F(ConflictsProcess, ListsAndShowsTheVerdict) {
  make_conflict();
  const ProgramEnd list = run({});
  EXPECT_EQ(list.status, 3);
  EXPECT_TRUE(list.out.starts_with(name_.text() + "  " + digits(second_) +
                                   "  diverged at 0/1000238: the archive's is from pgdb1, the "
                                   "refused one from pgdb2\n1 conflict in '"))
      << list.out;
  const auto json = nlohmann::json::parse(run({"--json"}).out);
  EXPECT_EQ(json["conflicts"][0]["kind"], "diverged");
  EXPECT_EQ(json["conflicts"][0]["lsn"], "0/1000238");
  EXPECT_EQ(json["conflicts"][0]["refused"]["origin"], "pgdb2");

  const ProgramEnd show = run({"show", name_.text()});
  EXPECT_EQ(show.status, 3);
  for (const std::string& part :
       {sha256(first_).hex(), sha256(second_).hex(), std::string("1048576 bytes, from pgdb2"),
        std::string("verdict:   diverged at"), std::string("probably:  two servers wrote"),
        "--keep " + digits(second_)}) {
    EXPECT_NE(show.out.find(part), std::string::npos) << part << "\n" << show.out;
  }
}

TEST_F(ConflictsProcess, ChangesNothingWithoutAYes) {
  make_conflict();
  const ProgramEnd end = resolve(digits(second_));
  EXPECT_EQ(end.status, 2);
  EXPECT_NE(end.out.find("Nothing is deleted."), std::string::npos);
  EXPECT_NE(end.err.find("nothing was changed"), std::string::npos);
  EXPECT_EQ(archived(), sha256(first_));
  EXPECT_EQ(run({}).status, 3);
}

TEST_F(ConflictsProcess, KeepsTheOtherAndSaysWhatToRunElsewhere) {
  make_conflict();
  const ProgramEnd end = resolve(digits(second_), {"--yes"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_NE(end.out.find("On the other nodes (pgdb2, pgdb3) run\n  pgwalship conflicts resolve " +
                         name_.text() + " --keep " + digits(second_)),
            std::string::npos)
      << end.out;
  EXPECT_EQ(archived(), sha256(second_));
  EXPECT_EQ(run({}).status, 0);
  EXPECT_NE(run({"show", name_.text()}).out.find("(decided against)"), std::string::npos);

  // The other nodes have it already, or it was a mistake.
  EXPECT_NE(resolve(digits(second_)).out.find("nothing to decide here"), std::string::npos);
  EXPECT_EQ(resolve(digits(first_), {"--yes"}).status, 0);
  EXPECT_EQ(archived(), sha256(first_));
}

TEST_F(ConflictsProcess, KeepsTheArchives) {
  make_conflict();
  EXPECT_EQ(resolve("archive", {"--yes"}).status, 0);
  EXPECT_EQ(archived(), sha256(first_));
  EXPECT_EQ(run({}).status, 0);
}

TEST_F(ConflictsProcess, RefusesAHashThatFitsNothing) {
  make_conflict();
  EXPECT_EQ(resolve("0123456789ab", {"--yes"}).status, 1);
  EXPECT_EQ(resolve("both", {"--yes"}).status, 2);
  EXPECT_EQ(resolve("abc", {"--yes"}).status, 2);
  EXPECT_EQ(archived(), sha256(first_));
}

}  // namespace
}  // namespace pgwalship
