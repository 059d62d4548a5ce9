#include "tests/cmd/node_directory.h"
#include "tests/cmd/scripted_daemon.h"

#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <signal.h>

namespace pgwalship {
namespace {

using Answer = ScriptedDaemon::Answer;
using std::chrono::milliseconds;
using std::chrono::seconds;

const WalName kName = name_of({});

SegmentSpec at_lsn(std::uint64_t lsn) {
  SegmentSpec spec;
  spec.lsn = lsn;
  return spec;
}

SegmentSpec of_header_timeline(std::uint32_t timeline) {
  SegmentSpec spec;
  spec.header_timeline = timeline;
  return spec;
}

// A server with one finished segment, as %p and %f give it.
class PushProcess : public testing::Test {
 protected:
  PushProcess() { write_file(node_.in_data(path_), build_segment({})); }

  ProgramEnd push() { return node_.run({"push", path_, kName.text()}); }
  // Its log is full, and whoever should read it stands still.
  Program::Options push_unheard() const {
    Program::Options options = node_.command({"push", path_, kName.text()});
    options.errors = Program::Options::Errors::kStuck;
    return options;
  }

  // Answers the PutEnd.
  static ScriptedDaemon::Script answer_at_end(Done done) {
    return [done](const Message& message) -> Answer {
      return std::holds_alternative<PutEnd>(message) ? Answer{{done}} : Answer{};
    };
  }

  static void expect_one_reason(const ProgramEnd& end) {
    EXPECT_EQ(lines_that_start(end.err, "pgwalship push"), 1) << end.err;
    EXPECT_EQ(end.out, "");
  }

  NodeDirectory node_;
  std::string path_ = "pg_wal/" + kName.text();
};

TEST_F(PushProcess, HandsOverAnArchiveFileThatGunzipsToTheSegment) {
  Bytes file;
  std::optional<Put> put;
  std::uint32_t announced = 0;
  const ProgramEnd end = [&] {
    ScriptedDaemon daemon(node_.socket(), daemon_hello(), [&](const Message& message) -> Answer {
      if (const auto* start = std::get_if<Put>(&message)) {
        put = *start;
      } else if (const auto* data = std::get_if<Data>(&message)) {
        file.insert(file.end(), data->bytes.begin(), data->bytes.end());
      } else if (const auto* last = std::get_if<PutEnd>(&message)) {
        announced = last->file_crc32;
        return {{Done{last->id, PutOutcome::kStored, {}, ""}}};
      }
      return {};
    });
    return push();
  }();
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(end.err, "");
  ASSERT_TRUE(put.has_value());
  EXPECT_EQ(put->name, kName);
  const Bytes segment = build_segment({});
  EXPECT_EQ(put->facts, facts_of(kName, segment, "pgdb1"));
  EXPECT_EQ(announced, crc32(0, file));
  GzipReader reader(kSegmentBytesMax);
  Bytes raw;
  ASSERT_TRUE(reader.write(file, raw).ok());
  ASSERT_TRUE(reader.finish().ok());
  EXPECT_EQ(raw, segment);
}

TEST_F(PushProcess, PassesHistoryAndBackupFilesOn) {
  for (const std::string name : {"00000002.history", "000000010000000000000001.00000028.backup"}) {
    ScriptedDaemon daemon(node_.socket(), daemon_hello(), answer_at_end(Done{1, {}, {}, ""}));
    write_file(node_.in_data("small"), build_history(2, 1));
    EXPECT_EQ(node_.run({"push", "small", name}).status, 0) << name;
  }
}

TEST_F(PushProcess, SaysAWarningThatComesWithSuccess) {
  ScriptedDaemon daemon(node_.socket(), daemon_hello(),
                        answer_at_end(Done{1, PutOutcome::kStored, {}, "only here"}));
  const ProgramEnd end = push();
  EXPECT_EQ(end.status, 0);
  EXPECT_EQ(end.err, "pgwalship push " + kName.text() + ": warning: only here\n");
}

TEST_F(PushProcess, TurnsEachVerdictIntoItsExitStatus) {
  const std::vector<std::pair<Errc, int>> table{
      {Errc::kRetry, 1},    {Errc::kTimeout, 1}, {Errc::kIo, 1},       {Errc::kCorrupt, 1},
      {Errc::kProtocol, 1}, {Errc::kInvalid, 2}, {Errc::kConflict, 3}, {Errc::kNoSpace, 4}};
  for (const auto& [code, status] : table) {
    ScriptedDaemon daemon(node_.socket(), daemon_hello(),
                          answer_at_end(Done{1, {}, Error{code, "because", "do this"}, ""}));
    const ProgramEnd end = push();
    EXPECT_EQ(end.status, status) << to_word(code);
    EXPECT_EQ(end.err, "pgwalship push " + kName.text() + ": because\nHINT: do this\n");
  }
}

TEST_F(PushProcess, HonoursAVerdictThatComesWhileItSends) {
  int pieces = 0;
  const ProgramEnd end = [&] {
    ScriptedDaemon daemon(node_.socket(), daemon_hello(), [&](const Message& message) -> Answer {
      if (std::holds_alternative<Put>(message)) {
        return {{Done{1, PutOutcome::kIdentical, {}, ""}}};
      }
      ++pieces;
      return {};
    });
    SegmentSpec large;
    large.segment_bytes = 64U << 20;
    large.lsn = large.segment_bytes;
    write_file(node_.in_data(path_), build_segment(large));
    return node_.run({"push", path_, name_of(large).text()});
  }();
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_LT(pieces, 100);
}

TEST_F(PushProcess, H10RefusesEveryOtherName) {
  const std::vector<std::string> names{"../x",
                                       "",
                                       "000000010000000000000001.gz",
                                       "00000001000000000000000a",
                                       "00000001 0000000000000001",
                                       "000000010000000000000001/",
                                       std::string(65, 'A'),
                                       "0000000100000000000000010",
                                       "00000002.history.gz"};
  for (const std::string& name : names) {
    const ProgramEnd end = node_.run({"push", path_, name});
    EXPECT_EQ(end.status, 2) << "'" << name << "'";
    expect_one_reason(end);
    EXPECT_LT(end.took, seconds(2));
  }
}

TEST_F(PushProcess, RefusesAWrongCommandLine) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"push"}, {"push", path_}, {"push", path_, kName.text(), "more"}, {"push", "--force"}}) {
    const ProgramEnd end = node_.run(words);
    EXPECT_EQ(end.status, 2);
    expect_one_reason(end);
  }
}

TEST_F(PushProcess, H11RefusesAFileThatIsNotWhatItsNameSays) {
  ScriptedDaemon daemon(node_.socket(), daemon_hello(), [](const Message&) -> Answer {
    ADD_FAILURE() << "the daemon was sent something";
    return {};
  });
  const std::vector<std::pair<std::string, Bytes>> files{
      {"recycled", build_segment(at_lsn(99U << 20))},
      {"later timeline", build_segment(of_header_timeline(2))},
      {"no header", Bytes(kSegmentBytesMin)},
      {"short", Bytes(20)},
      {"empty", Bytes()}};
  for (const auto& [what, content] : files) {
    write_file(node_.in_data(path_), content);
    const ProgramEnd end = push();
    EXPECT_EQ(end.status, 2) << what << ": " << end.err;
    expect_one_reason(end);
  }
  Bytes cut = build_segment({});
  cut.pop_back();
  write_file(node_.in_data(path_), cut);
  EXPECT_EQ(push().status, 2);
}

// PostgreSQL asks for it again and again, and for nothing else.
TEST_F(PushProcess, H11ARecycledFileBehindAForkIsNothingToArchive) {
  Hello hello = daemon_hello();
  hello.system_id = kTestSystemId;
  const ScriptedDaemon daemon(node_.socket(), hello, [](const Message&) { return Answer{}; });
  const SegmentSpec name{.timeline = 1, .lsn = std::uint64_t{5} << 24};
  write_file(node_.in_data(path_), build_segment(at_lsn(std::uint64_t{2} << 24)));
  const std::vector<std::string> words{"push", path_, name_of(name).text()};
  EXPECT_EQ(node_.run(words).status, 2);
  const WalName history = WalName::history_of(2);
  node_.put_in_archive(history, build_archive_file(history, as_bytes("1\t0/5000000\tno reason\n")));
  const ProgramEnd end = node_.run(words);
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_NE(end.err.find("nothing to archive"), std::string::npos) << end.err;
}

TEST_F(PushProcess, H11RefusesAForeignCluster) {
  Hello hello = daemon_hello();
  hello.system_id = 4711;
  ScriptedDaemon daemon(node_.socket(), hello, [](const Message&) { return Answer{}; });
  const ProgramEnd end = push();
  EXPECT_EQ(end.status, 2);
  EXPECT_NE(end.err.find(std::to_string(kTestSystemId)), std::string::npos) << end.err;
  EXPECT_NE(end.err.find("4711"), std::string::npos);
}

TEST_F(PushProcess, H13AMissingFileIsTriedAgain) {
  ScriptedDaemon daemon(node_.socket(), daemon_hello(), answer_at_end(Done{1, {}, {}, ""}));
  const ProgramEnd end = node_.run({"push", "pg_wal/nothing", kName.text()});
  EXPECT_EQ(end.status, 1);
  expect_one_reason(end);
}

// PostgreSQL tries three times, a second apart, and then waits for a minute: a daemon that restarts
// is waited for (H49).
TEST_F(PushProcess, H13SaysThatTheDaemonIsDown) {
  const ProgramEnd end = push();
  EXPECT_GE(end.took, milliseconds(1800));
  EXPECT_EQ(end.status, 1);
  expect_one_reason(end);
  EXPECT_NE(end.err.find("HINT: start pgwalshipd"), std::string::npos) << end.err;
}

TEST_F(PushProcess, H13SaysWhatIsWrongWithTheConfiguration) {
  const ProgramEnd missing =
      run_program({.words = {"--config", "/nowhere.conf", "push", path_, kName.text()}});
  EXPECT_EQ(missing.status, 2);
  EXPECT_NE(missing.err.find("/nowhere.conf"), std::string::npos) << missing.err;
  write_file(node_.config(), "[archive]\ndirectory = relative\nnonsense = 1\n");
  const ProgramEnd wrong = push();
  EXPECT_EQ(wrong.status, 2);
  EXPECT_NE(wrong.err.find(node_.config() + ":2"), std::string::npos) << wrong.err;
  EXPECT_NE(wrong.err.find(node_.config() + ":3"), std::string::npos) << wrong.err;
}

TEST_F(PushProcess, H13ADaemonThatGoesAwayIsTriedAgain) {
  for (const bool at_the_start : {true, false}) {
    ScriptedDaemon daemon(node_.socket(), daemon_hello(), [=](const Message& message) -> Answer {
      const bool now = at_the_start || std::holds_alternative<PutEnd>(message);
      return {{}, now ? Answer::Then::kHangUp : Answer::Then::kGoOn};
    });
    const ProgramEnd end = push();
    EXPECT_EQ(end.status, 1) << end.err;
    expect_one_reason(end);
  }
}

TEST_F(PushProcess, PassesTheDaemonsFailureOn) {
  ScriptedDaemon daemon(node_.socket(), daemon_hello(), [](const Message&) -> Answer {
    return {{Failure{Error{Errc::kNoSpace, "the disk is full", ""}}}, Answer::Then::kHangUp};
  });
  const ProgramEnd end = push();
  EXPECT_EQ(end.status, 4);
  EXPECT_NE(end.err.find("the disk is full"), std::string::npos) << end.err;
}

TEST_F(PushProcess, H14ReturnsSoonAfterPushTimeoutWhenNobodyAnswers) {
  ScriptedDaemon daemon(node_.socket(), daemon_hello(), [](const Message&) { return Answer{}; });
  const ProgramEnd end = push();
  EXPECT_EQ(end.status, 1);
  expect_one_reason(end);
  EXPECT_GE(end.took, seconds(1));
  EXPECT_LT(end.took, seconds(4));
}

// A crash, an abort, and the alarm that ends what hangs in the system.
TEST_F(PushProcess, H13NoSignalOfItsOwnEndsItAbove125) {
  for (const int number : {SIGSEGV, SIGABRT, SIGBUS, SIGALRM}) {
    std::promise<void> asked;
    ScriptedDaemon daemon(node_.socket(), daemon_hello(), [&](const Message& message) -> Answer {
      if (std::holds_alternative<PutEnd>(message)) {
        asked.set_value();
      }
      return {};
    });
    Program program(node_.command({"push", path_, kName.text()}));
    asked.get_future().wait();
    program.signal(number);
    const ProgramEnd end = program.wait();
    EXPECT_EQ(end.status, 1) << "signal " << number;
    expect_one_reason(end);
  }
}

TEST_F(PushProcess, H14ALogThatNobodyReadsHoldsUpNoVerdict) {
  const std::vector<std::pair<Done, int>> table{
      {Done{1, {}, Error{Errc::kConflict, "because", "do this"}, ""}, 3},
      {Done{1, {}, Error{Errc::kIo, std::string(8000, 'x'), ""}, ""}, 1},
      {Done{1, PutOutcome::kStored, {}, "only here"}, 0}};
  for (const auto& [done, status] : table) {
    ScriptedDaemon daemon(node_.socket(), daemon_hello(), answer_at_end(done));
    const ProgramEnd end = run_program(push_unheard());
    EXPECT_EQ(end.status, status);
    EXPECT_EQ(end.err, "");
    EXPECT_LT(end.took, seconds(2));
  }
}

TEST_F(PushProcess, H14ALogThatNobodyReadsStopsNoEmergencyExit) {
  for (const int number : {SIGALRM, SIGSEGV}) {
    std::promise<void> asked;
    ScriptedDaemon daemon(node_.socket(), daemon_hello(), [&](const Message& message) -> Answer {
      if (std::holds_alternative<PutEnd>(message)) {
        asked.set_value();
      }
      return {};
    });
    Program program(push_unheard());
    asked.get_future().wait();
    program.signal(number);
    const ProgramEnd end = program.wait();
    EXPECT_EQ(end.status, 1) << "signal " << number;
    EXPECT_LT(end.took, seconds(2));
  }
}

}  // namespace
}  // namespace pgwalship
