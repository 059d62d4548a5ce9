#include "wal/backup_label.h"

#include <gtest/gtest.h>

#include <string>

namespace pgwalship {
namespace {

WalName parsed(std::string_view text) {
  return WalName::parse(text).value();
}

const WalName kName = parsed("00000002000000000000000D.000000D8.backup");

// As PostgreSQL 15 wrote it (pg_basebackup, --wal-segsize=1).
constexpr std::string_view kReal =
    "START WAL LOCATION: 0/D000D8 (file 00000002000000000000000D)\n"
    "STOP WAL LOCATION: 0/D001B0 (file 00000002000000000000000D)\n"
    "CHECKPOINT LOCATION: 0/D00110\n"
    "BACKUP METHOD: streamed\n"
    "BACKUP FROM: primary\n"
    "START TIME: 2026-11-25 08:32:45 UTC\n"
    "LABEL: nightly \"base\" backup\n"
    "START TIMELINE: 2\n"
    "STOP TIME: 2026-11-25 08:32:48 UTC\n"
    "STOP TIMELINE: 2\n";

std::string with(std::string_view from, std::string_view to) {
  std::string text(kReal);
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string reason_against(std::string_view text) {
  const Result<BackupLabel> label = parse_backup_label(kName, text);
  return label.ok() ? "nothing" : label.error().message;
}

TEST(BackupLabel, ReadsWhatPostgresqlWrote) {
  const BackupLabel label = parse_backup_label(kName, kReal).value();
  EXPECT_EQ(label.start_timeline, 2U);
  EXPECT_EQ(label.stop_timeline, 2U);
  EXPECT_EQ(label.start_lsn, 0xD000D8U);
  EXPECT_EQ(label.stop_lsn, 0xD001B0U);
  EXPECT_EQ(label.checkpoint_lsn, 0xD00110U);
  EXPECT_EQ(label.start_time, "2026-11-25 08:32:45 UTC");
  EXPECT_EQ(label.stop_time, "2026-11-25 08:32:48 UTC");
  EXPECT_EQ(label.label, "nightly \"base\" backup");
  EXPECT_EQ(label.method, "streamed");
  EXPECT_EQ(label.from, "primary");
}

TEST(BackupLabel, TakesTheTimelineOfTheNameFromOldServers) {
  std::string text = with("START TIMELINE: 2\n", "");
  text.erase(text.find("STOP TIMELINE"));
  const BackupLabel label = parse_backup_label(kName, text).value();
  EXPECT_EQ(label.start_timeline, 2U);
  EXPECT_EQ(label.stop_timeline, 2U);
}

TEST(BackupLabel, ALabelWithLineBreaksForgesNothing) {
  const BackupLabel label =
      parse_backup_label(kName, with("LABEL: nightly",
                                     "LABEL: a\nSTART TIMELINE: 9\nSTOP TIMELINE: 9\n"
                                     "START WAL LOCATION: 0/0 (file 000000090000000000000000)\n"
                                     "STOP WAL LOCATION: F/0 (file 000000090000000F00000000)\nx"))
          .value();
  EXPECT_EQ(label.start_timeline, 2U);
  EXPECT_EQ(label.stop_timeline, 2U);
  EXPECT_EQ(label.start_lsn, 0xD000D8U);
  EXPECT_EQ(label.stop_lsn, 0xD001B0U);
  EXPECT_EQ(label.label, "a");
}

TEST(BackupLabel, ShowsOnlyVisibleCharacters) {
  EXPECT_EQ(parse_backup_label(kName, with("nightly", "\x1b[31mred")).value().label,
            "?[31mred \"base\" backup");
}

TEST(BackupLabel, FitsItsNameWhateverTheSegmentSize) {
  const WalName sixteen = parsed("000000010000000A00000002.00000028.backup");
  const std::string text =
      "START WAL LOCATION: A/2000028 (file 000000010000000A00000002)\n"
      "STOP WAL LOCATION: A/3000000 (file 000000010000000A00000002)\n";
  EXPECT_EQ(parse_backup_label(sixteen, text).value().start_lsn, 0xA02000028U);
  const WalName first = parsed("000000010000000A00000000.00000028.backup");
  EXPECT_TRUE(parse_backup_label(first,
                                 "START WAL LOCATION: A/28 (file 000000010000000A00000000)\n"
                                 "STOP WAL LOCATION: A/28 (file 000000010000000A00000000)\n")
                  .ok());
}

TEST(BackupLabel, RefusesWhatDoesNotFitItsName) {
  EXPECT_EQ(reason_against(with("0/D000D8 (", "0/D000D9 (")),
            "backup file '00000002000000000000000D.000000D8.backup': its start 0/D000D9 is not "
            "where its name says");
  EXPECT_NE(reason_against(with("0/D000D8 (", "0/D8 (")), "nothing");
  EXPECT_NE(reason_against(with("0/D000D8 (", "1/D000D8 (")), "nothing");
  EXPECT_NE(reason_against(with("0/D000D8 (file 00000002", "0/D000D8 (file 00000001")), "nothing");
  EXPECT_NE(reason_against(with("START TIMELINE: 2", "START TIMELINE: 1")), "nothing");
}

TEST(BackupLabel, RefusesWhatIsNoBackupFile) {
  for (const std::string& text :
       {std::string(), with("STOP WAL", "STEP WAL"), with("0/D001B0", "0/D00G"),
        with("0/D001B0", "0/D00000"), with("START TIMELINE: 2", "START TIMELINE: two"),
        with(" (file 00000002000000000000000D)", ""), with("D)\n", "D\n"),
        std::string(kBackupLabelBytesMax + 1, 'x')}) {
    EXPECT_EQ(parse_backup_label(kName, text).ok(), false) << text.substr(0, 300);
  }
}

}  // namespace
}  // namespace pgwalship
