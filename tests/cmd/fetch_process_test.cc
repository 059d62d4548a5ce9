#include "cmd/fetch_command.h"
#include "tests/cmd/node_directory.h"
#include "tests/cmd/scripted_daemon.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <signal.h>
#include <sys/stat.h>

namespace pgwalship {
namespace {

using Answer = ScriptedDaemon::Answer;
using Peers = NodeDirectory::Peers;
using std::chrono::milliseconds;
using std::chrono::seconds;

const WalName kName = name_of({});
constexpr const char* kPlace = "pg_wal/RECOVERYXLOG";

ScriptedDaemon::Script verdict(FetchVerdict verdict) {
  return [verdict](const Message&) -> Answer {
    return {{FetchResult{1, verdict, "the daemon's words", "the daemon's hint"}}};
  };
}

void set_mode(const NodeDirectory& node, RecoveryMode mode) {
  if (mode == RecoveryMode::kStandby) {
    write_file(node.in_data("standby.signal"), "");
  } else if (mode == RecoveryMode::kRecovery) {
    write_file(node.in_data("recovery.signal"), "");
  }
}

ProgramEnd fetch(const NodeDirectory& node, const std::string& name = kName.text()) {
  return node.run({"fetch", name, kPlace});
}

std::string placed(const NodeDirectory& node) {
  return read_file(node.in_data(kPlace));
}

void expect_nothing_placed(const NodeDirectory& node) {
  EXPECT_EQ(files_in(node.in_data("pg_wal")), std::vector<std::string>{});
}

Bytes corrupted(Bytes file) {
  file[file.size() / 2] ^= std::byte{0x20};
  return file;
}

TEST(FetchProcess, H35FetchesFromTheLocalArchiveWithTheDaemonDown) {
  const NodeDirectory node;
  const Bytes segment = build_segment({});
  node.put_in_archive(kName, build_archive_file(kName, segment));
  const ProgramEnd end = fetch(node);
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(end.err, "");
  EXPECT_EQ(placed(node), as_text(segment));
  struct stat stat {};
  ASSERT_EQ(::stat(node.in_data(kPlace).c_str(), &stat), 0);
  EXPECT_EQ(stat.st_mode & 0777U, 0600U);
  EXPECT_EQ(files_in(node.in_data("pg_wal")), std::vector<std::string>{"RECOVERYXLOG"});
}

TEST(FetchProcess, FetchesWhatTheOldScriptArchived) {
  const NodeDirectory node;
  const Bytes segment = build_segment({});
  node.put_in_archive(kName, build_legacy_file(segment, {}));
  EXPECT_EQ(fetch(node).status, 0);
  EXPECT_EQ(placed(node), as_text(segment));
}

TEST(FetchProcess, H33PlacesTheFileWhereverItIsWanted) {
  const NodeDirectory node;
  const Bytes segment = build_segment({});
  node.put_in_archive(kName, build_archive_file(kName, segment));
  write_file(node.in_data("there already"), "old");
  for (const std::string path : {"x", "pg_wal/../y", "there already", "./pg_wal/-f"}) {
    EXPECT_EQ(node.run({"fetch", kName.text(), path}).status, 0) << path;
    EXPECT_EQ(read_file(node.in_data(path)), as_text(segment)) << path;
  }
  const std::string absolute = node.in_data("pg_wal/absolute");
  EXPECT_EQ(run_program({.words = {"--config", node.config(), "fetch", kName.text(), absolute},
                         .directory = "/"})
                .status,
            0);
  EXPECT_EQ(read_file(absolute), as_text(segment));
}

TEST(FetchProcess, ReplacesWhatAKilledFetchLeft) {
  const NodeDirectory node;
  node.put_in_archive(kName, build_archive_file(kName, build_segment({})));
  write_file(node.in_data(std::string(kPlace) + ".pgwalship"), "half");
  EXPECT_EQ(fetch(node).status, 0);
  EXPECT_EQ(files_in(node.in_data("pg_wal")), std::vector<std::string>{"RECOVERYXLOG"});
}

// It would end, or never end, by what a later PostgreSQL means.
TEST(FetchProcess, H36StopsAServerThatIsTooOldToSayWhatItDoes) {
  const NodeDirectory node;
  node.put_in_archive(kName, build_archive_file(kName, build_segment({})));
  write_file(node.in_data("recovery.conf"), "");
  const ProgramEnd end = fetch(node);
  EXPECT_EQ(end.status, 255);
  EXPECT_NE(end.err.find("HINT: pgwalship fetch needs PostgreSQL 12 or newer"), std::string::npos)
      << end.err;
  expect_nothing_placed(node);
}

// README, "Exit codes": the whole table of fetch, on the real program.
TEST(FetchProcess, H36EndsAsTheTableSays) {
  struct Row {
    FetchVerdict verdict;
    int standby;
    int recovery;
    int manual;
  };
  for (const Row& row :
       {Row{FetchVerdict::kAbsent, 1, 1, 1}, Row{FetchVerdict::kUnknown, 1, 255, 1},
        Row{FetchVerdict::kCorrupt, 1, 255, 1}}) {
    for (const auto& [mode, status] : {std::pair{RecoveryMode::kStandby, row.standby},
                                       std::pair{RecoveryMode::kRecovery, row.recovery},
                                       std::pair{RecoveryMode::kManual, row.manual}}) {
      const NodeDirectory node;
      set_mode(node, mode);
      const ScriptedDaemon daemon(node.socket(), daemon_hello(), verdict(row.verdict));
      const ProgramEnd end = fetch(node);
      EXPECT_EQ(end.status, status) << static_cast<int>(mode) << end.err;
      expect_nothing_placed(node);
    }
  }
}

TEST(FetchProcess, H36TheTableHasEveryCell) {
  using enum FetchVerdict;
  using enum RecoveryMode;
  for (const RecoveryMode mode : {kStandby, kRecovery, kManual}) {
    EXPECT_EQ(to_status(fetch_exit(kFound, mode)), 0);
    EXPECT_EQ(to_status(fetch_exit(kAbsent, mode)), 1);
    for (const FetchVerdict verdict : {kUnknown, kCorrupt}) {
      EXPECT_EQ(to_status(fetch_exit(verdict, mode)), mode == kRecovery ? 255 : 1);
    }
    EXPECT_EQ(to_status(fetch_usage_exit(mode)), mode == kRecovery ? 255 : 2);
  }
}

TEST(FetchProcess, H36WithTheDaemonDownOnlyARecoveryStops) {
  for (const auto& [mode, status] :
       {std::pair{RecoveryMode::kStandby, 1}, std::pair{RecoveryMode::kRecovery, 255},
        std::pair{RecoveryMode::kManual, 1}}) {
    const NodeDirectory node;
    set_mode(node, mode);
    const ProgramEnd end = fetch(node);
    EXPECT_EQ(end.status, status);
    EXPECT_NE(end.err.find("HINT: start pgwalshipd"), std::string::npos) << end.err;
  }
}

TEST(FetchProcess, H36AnUnknownAnswerIsAskedForAgainWithinFetchTimeout) {
  const NodeDirectory node;
  set_mode(node, RecoveryMode::kRecovery);
  const Bytes segment = build_segment({});
  int asked = 0;
  const ScriptedDaemon daemon(node.socket(), daemon_hello(), [&](const Message&) -> Answer {
    if (++asked < 3) {
      return {{FetchResult{1, FetchVerdict::kUnknown, "a peer is away", ""}}};
    }
    node.put_in_archive(kName, build_archive_file(kName, segment));
    return {{FetchResult{1, FetchVerdict::kFound, "", ""}}};
  });
  const ProgramEnd end = fetch(node);
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(placed(node), as_text(segment));
}

TEST(FetchProcess, H25TellsTheDaemonHowLongItMayWait) {
  for (const RecoveryMode mode : {RecoveryMode::kStandby, RecoveryMode::kRecovery}) {
    const NodeDirectory node;
    set_mode(node, mode);
    std::optional<Fetch> asked;
    {
      const ScriptedDaemon daemon(node.socket(), daemon_hello(), [&](const Message& message) {
        asked = std::get<Fetch>(message);
        return Answer{{FetchResult{1, FetchVerdict::kAbsent, "", ""}}};
      });
      EXPECT_EQ(fetch(node).status, 1);
    }
    ASSERT_TRUE(asked.has_value());
    EXPECT_EQ(asked->name, kName);
    EXPECT_EQ(asked->wait_ms > 0, mode == RecoveryMode::kRecovery) << asked->wait_ms;
  }
}

TEST(FetchProcess, H25AloneAndTheDaemonDownAbsenceIsProvenByTheArchive) {
  const NodeDirectory node(Peers::kNone);
  set_mode(node, RecoveryMode::kRecovery);
  const ProgramEnd end = fetch(node);
  EXPECT_EQ(end.status, 1) << end.err;
  EXPECT_EQ(lines_that_start(end.err, ""), 1) << end.err;
}

TEST(FetchProcess, H25AnArchiveThatIsNotMountedProvesNothing) {
  const NodeDirectory node(Peers::kNone);
  set_mode(node, RecoveryMode::kRecovery);
  std::filesystem::remove_all(node.archive());
  EXPECT_EQ(fetch(node).status, 255);
  std::filesystem::create_directory(node.archive());
  const ProgramEnd end = fetch(node);
  EXPECT_EQ(end.status, 255);
  EXPECT_NE(end.err.find("is its file system mounted?"), std::string::npos) << end.err;
}

TEST(FetchProcess, H48AStandbyIsNotToldTheSameAgainAndAgain) {
  for (const FetchVerdict routine : {FetchVerdict::kAbsent, FetchVerdict::kUnknown}) {
    const NodeDirectory node;
    set_mode(node, RecoveryMode::kStandby);
    const ScriptedDaemon daemon(node.socket(), daemon_hello(), verdict(routine));
    EXPECT_EQ(fetch(node).err, "");
  }
  const NodeDirectory node;
  const ScriptedDaemon daemon(node.socket(), daemon_hello(), verdict(FetchVerdict::kUnknown));
  EXPECT_EQ(fetch(node).err,
            "pgwalship fetch " + kName.text() + ": the daemon's words\nHINT: the daemon's hint\n");
}

TEST(FetchProcess, H28ACorruptLocalCopyIsReplacedByTheDaemon) {
  const NodeDirectory node;
  set_mode(node, RecoveryMode::kRecovery);
  const Bytes segment = build_segment({});
  const Bytes good = build_archive_file(kName, segment);
  node.put_in_archive(kName, corrupted(good));
  const ScriptedDaemon daemon(node.socket(), daemon_hello(), [&](const Message&) -> Answer {
    node.put_in_archive(kName, good);
    return {{FetchResult{1, FetchVerdict::kFound, "", ""}}};
  });
  const ProgramEnd end = fetch(node);
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(placed(node), as_text(segment));
}

TEST(FetchProcess, H28ACorruptCopyIsNeverAbsent) {
  for (const Peers peers : {Peers::kNone, Peers::kTwo}) {
    const NodeDirectory node(peers);
    set_mode(node, RecoveryMode::kRecovery);
    node.put_in_archive(kName, corrupted(build_archive_file(kName, build_segment({}))));
    const ProgramEnd end = fetch(node);
    EXPECT_EQ(end.status, 255) << end.err;
    EXPECT_NE(end.err.find(kName.text() + ".gz"), std::string::npos) << end.err;
    expect_nothing_placed(node);
  }
  const NodeDirectory node;
  set_mode(node, RecoveryMode::kRecovery);
  node.put_in_archive(kName, corrupted(build_archive_file(kName, build_segment({}))));
  const ScriptedDaemon daemon(node.socket(), daemon_hello(), verdict(FetchVerdict::kAbsent));
  EXPECT_EQ(fetch(node).status, 255);
}

TEST(FetchProcess, H27NothingIsPlacedThatIsNotTheSegment) {
  Bytes cut = build_segment({});
  cut.resize(cut.size() - 8192);
  Bytes longer = build_segment({});
  longer.resize(longer.size() + 8192);
  SegmentSpec other;
  other.lsn = 99U << 20;
  Bytes torn = build_archive_file(kName, build_segment({}));
  torn.resize(torn.size() - 100);
  for (const Bytes& file :
       {build_legacy_file(cut, {}), build_legacy_file(longer, {}),
        build_legacy_file(build_segment(other), {}), torn, Bytes(), Bytes(100)}) {
    const NodeDirectory node(Peers::kNone);
    set_mode(node, RecoveryMode::kRecovery);
    write_file(node.in_data("old"), "old");
    node.put_in_archive(kName, file);
    const ProgramEnd end = fetch(node);
    EXPECT_EQ(end.status, 255) << end.err;
    expect_nothing_placed(node);
    EXPECT_EQ(node.run({"fetch", kName.text(), "old"}).status, 255);
    EXPECT_EQ(read_file(node.in_data("old")), "old");
  }
}

TEST(FetchProcess, ADestinationThatCannotBeWrittenIsNoProofOfAbsence) {
  const NodeDirectory node(Peers::kNone);
  node.put_in_archive(kName, build_archive_file(kName, build_segment({})));
  set_mode(node, RecoveryMode::kRecovery);
  const ProgramEnd end = node.run({"fetch", kName.text(), "no such directory/file"});
  EXPECT_EQ(end.status, 255);
  EXPECT_NE(end.err.find("no such directory"), std::string::npos) << end.err;
}

TEST(FetchProcess, H36NothingThatIsWrongEndsARecovery) {
  const NodeDirectory node;
  const std::vector<std::vector<std::string>> wrong{
      {"--config", "/nowhere.conf", "fetch", kName.text(), kPlace},
      {"--config", node.config(), "fetch", kName.text()},
      {"--config", node.config(), "fetch", "../x", kPlace},
      {"--config", node.config(), "fetch", kName.text(), ""},
      {"--config", node.config(), "fetch", kName.text(), kPlace, "more"},
      {"--config", node.config(), "fetsh", kName.text(), kPlace},
      {"--confg", node.config(), "fetch", kName.text(), kPlace},
      {}};
  for (const auto& words : wrong) {
    EXPECT_EQ(run_program({.words = words, .directory = node.data()}).status, 2);
  }
  set_mode(node, RecoveryMode::kRecovery);
  for (const auto& words : wrong) {
    EXPECT_EQ(run_program({.words = words, .directory = node.data()}).status, 255);
  }
}

TEST(FetchProcess, H26AHistoryProbeTakesLessThanThreeSeconds) {
  for (const RecoveryMode mode : {RecoveryMode::kStandby, RecoveryMode::kRecovery}) {
    const NodeDirectory node(Peers::kTwo);
    set_mode(node, mode);
    const ScriptedDaemon silent(node.socket(), daemon_hello(),
                                [](const Message&) { return Answer{}; });
    const ProgramEnd end = fetch(node, "00000002.history");
    EXPECT_EQ(end.status, mode == RecoveryMode::kRecovery ? 255 : 1);
    EXPECT_LE(end.took, milliseconds(3200)) << "with the start of a sanitised program";
  }
}

// The last word is known just before the time is over.
TEST(FetchProcess, H26H14ALogThatNobodyReadsHoldsUpNoHistoryProbe) {
  const NodeDirectory node;
  set_mode(node, RecoveryMode::kRecovery);
  Program::Options options = node.command({"fetch", "00000002.history", kPlace});
  options.errors = Program::Options::Errors::kStuck;
  const ProgramEnd end = run_program(options);
  EXPECT_EQ(end.status, 255);
  EXPECT_EQ(end.err, "");
  EXPECT_LE(end.took, milliseconds(3200)) << "with the start of a sanitised program";
}

TEST(FetchProcess, H26AHistoryFileIsFetched) {
  const NodeDirectory node;
  set_mode(node, RecoveryMode::kStandby);
  const WalName history = WalName::parse("00000002.history").value();
  const Bytes content = build_history(2, 1);
  const ScriptedDaemon daemon(node.socket(), daemon_hello(), [&](const Message&) -> Answer {
    node.put_in_archive(history, build_archive_file(history, content));
    return {{FetchResult{1, FetchVerdict::kFound, "", ""}}};
  });
  EXPECT_EQ(fetch(node, history.text()).status, 0);
  EXPECT_EQ(placed(node), as_text(content));
}

TEST(FetchProcess, H34SigtermEndsItAtOnceAndLeavesNothing) {
  const NodeDirectory node;
  std::promise<void> asked;
  const ScriptedDaemon silent(node.socket(), daemon_hello(), [&](const Message&) {
    asked.set_value();
    return Answer{};
  });
  Program program(node.command({"fetch", kName.text(), kPlace}));
  asked.get_future().wait();
  program.signal(SIGTERM);
  const ProgramEnd end = program.wait();
  EXPECT_EQ(end.signal, SIGTERM);
  EXPECT_LT(end.took, seconds(3));
  expect_nothing_placed(node);
}

}  // namespace
}  // namespace pgwalship
