// The verbs receive and status, and what all verbs share.
#include "tests/cmd/node_directory.h"
#include "tests/cmd/scripted_daemon.h"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <memory>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

namespace pgwalship {
namespace {

using Answer = ScriptedDaemon::Answer;

const WalName kName = name_of({});

// The sender's end of `pgwalship receive`.
class Link {
 public:
  Link(const NodeDirectory& node, const std::string& from)
      : program_(node.command({"receive", "--from", from})),
        stream_(program_.output(), program_.input()) {
    Hello hello;
    hello.role = Role::kDaemon;
    hello.cluster = "main";
    hello.node = from;
    send(hello);
  }

  void send(const Message& message) {
    stream_.send(message);
    while (stream_.has_output()) {
      ASSERT_TRUE(stream_.flush().ok());
    }
  }

  template <typename T>
  T expect() {
    for (;;) {
      auto message = stream_.next();
      if (!message.ok()) {
        ADD_FAILURE() << message.error().message;
        return {};
      }
      if (message.value().has_value()) {
        EXPECT_TRUE(std::holds_alternative<T>(*message.value())) << message.value()->index();
        auto* wanted = std::get_if<T>(&*message.value());
        return wanted == nullptr ? T{} : std::move(*wanted);
      }
      const auto more = stream_.receive();
      if (!more.ok() || !more.value()) {
        ADD_FAILURE() << "the receiver hung up";
        return {};
      }
    }
  }

  Program& program() { return program_; }

 private:
  Program program_;
  MessageStream stream_;
};

void send_file(Link& link, std::uint64_t id, const Bytes& file, const FileFacts& facts) {
  link.send(Put{id, kName, file.size(), facts});
  for (std::size_t at = 0; at < file.size(); at += kDataBytesMax) {
    const ByteView piece = ByteView(file).subspan(at, std::min(kDataBytesMax, file.size() - at));
    link.send(Data{id, Bytes(piece.begin(), piece.end())});
  }
  link.send(PutEnd{id, crc32(0, file)});
}

TEST(ReceiveProcess, StoresWhatItIsSentAndGivesItBack) {
  const NodeDirectory node;
  const Bytes segment = build_segment({});
  const Bytes file = build_archive_file(kName, segment, "pgdb2");
  Link link(node, "pgdb2");
  const Hello theirs = link.expect<Hello>();
  EXPECT_EQ(theirs.node, "pgdb1");
  EXPECT_EQ(theirs.role, Role::kReceiver);
  send_file(link, 7, file, facts_of(kName, segment, "pgdb2"));
  const Done done = link.expect<Done>();
  EXPECT_EQ(done.id, 7U);
  EXPECT_FALSE(done.error.has_value()) << done.error->message;
  const std::string stored = node.archive() + "/" + kName.text() + ".gz";
  EXPECT_EQ(read_file(stored), as_text(file));
  struct stat stat {};
  ASSERT_EQ(::stat(stored.c_str(), &stat), 0);
  EXPECT_EQ(stat.st_mode & 0077U, 0U);

  link.send(Get{8, kName});
  EXPECT_EQ(link.expect<GetBegin>().file_bytes, file.size());
  Bytes back;
  while (back.size() < file.size() && !testing::Test::HasFailure()) {
    const Data piece = link.expect<Data>();
    back.insert(back.end(), piece.bytes.begin(), piece.bytes.end());
  }
  EXPECT_EQ(back, file);
  EXPECT_EQ(link.expect<GetEnd>().file_crc32, crc32(0, file));

  const ProgramEnd end = link.program().wait();
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(end.err, "");
}

TEST(ReceiveProcess, EndsOnSigterm) {
  const NodeDirectory node;
  Link link(node, "pgdb2");
  link.expect<Hello>();
  link.program().signal(SIGTERM);
  EXPECT_EQ(link.program().wait().status, 0);
}

TEST(ReceiveProcess, H44RefusesASenderThatTheConfigurationDoesNotHave) {
  const NodeDirectory node;
  for (const std::string from : {"pgdb1", "pgdb9", ""}) {
    const ProgramEnd end = node.run({"receive", "--from", from});
    EXPECT_EQ(end.status, 2) << from;
    EXPECT_EQ(lines_that_start(end.err, "pgwalship receive"), 1) << end.err;
  }
  EXPECT_EQ(node.run({"receive"}).status, 2);
}

// What is put beneath an archive that is not mounted is gone when it is mounted again.
TEST(ReceiveProcess, H25MakesNoArchiveWhereNoDaemonHasBeen) {
  const NodeDirectory node;
  std::filesystem::remove(node.archive() + "/.pgwalship");
  const ProgramEnd end = node.run({"receive", "--from", "pgdb2"});
  EXPECT_EQ(end.status, 1);
  EXPECT_NE(end.err.find("there is no archive in '" + node.archive()), std::string::npos)
      << end.err;
  EXPECT_NE(end.err.find("HINT: mount its file system there"), std::string::npos) << end.err;
  EXPECT_TRUE(std::filesystem::is_empty(node.archive()));
}

// Else a peer that is broken into is this node broken into (G6).
TEST(ReceiveProcess, H44RefusesAKeyThatMayRunAnyCommand) {
  const NodeDirectory node;
  Program::Options options = node.command({"receive", "--from", "pgdb2"});
  options.environment = {"SSH_CONNECTION=10.0.0.2 1 10.0.0.1 22"};
  const ProgramEnd end = run_program(options);
  EXPECT_EQ(end.status, 2);
  EXPECT_NE(end.err.find("may run any command"), std::string::npos) << end.err;
  EXPECT_NE(end.err.find("HINT: give it a forced command"), std::string::npos) << end.err;
  options.environment.emplace_back("SSH_ORIGINAL_COMMAND=whatever");
  EXPECT_EQ(run_program(options).status, 0) << "a sender that ends the session at once";
}

TEST(ReceiveProcess, GarbageCostsThatSession) {
  const NodeDirectory node;
  Program program(node.command({"receive", "--from", "pgdb2"}));
  const std::string garbage(4096, 'x');
  ASSERT_TRUE(write_full(program.input(), as_bytes(garbage), "write").ok());
  const ProgramEnd end = program.wait();
  EXPECT_EQ(end.status, 1);
  EXPECT_EQ(lines_that_start(end.err, "pgwalship receive"), 1) << end.err;
  FrameDecoder said;
  said.feed(as_bytes(end.out));
  const auto frame = said.next();
  ASSERT_TRUE(frame.ok() && frame.value().has_value());
  const auto message = decode(*frame.value());
  ASSERT_TRUE(message.ok() && message.value().has_value());
  EXPECT_EQ(std::get<Failure>(*message.value()).error.code, Errc::kProtocol);
}

constexpr const char* kReport =
    R"json({"node":"pgdb1","cluster":"main","quorum":{"expression":"ANY 1 (*)","held":true}})json";

ScriptedDaemon::Script report_in_pieces() {
  return [](const Message&) -> Answer {
    const ByteView json = as_bytes(kReport);
    return {{StatusReport{1, true, Bytes(json.begin(), json.begin() + 20)},
             StatusReport{1, false, Bytes(json.begin() + 20, json.end())}}};
  };
}

TEST(StatusProcess, ShowsTheDaemonsReport) {
  const NodeDirectory node;
  const ScriptedDaemon daemon(node.socket(), daemon_hello(), report_in_pieces());
  const ProgramEnd end = node.run({"status"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(end.out,
            "OK: recoverable to what is archived on 1 of 1 node, quorum ANY 1 (*) is held\n\n"
            "pgdb1, cluster main\n");
}

TEST(StatusProcess, WatchesForPeopleOnly) {
  const ProgramEnd end = NodeDirectory().run({"status", "--json", "--watch"});
  EXPECT_EQ(end.status, 2);
  EXPECT_NE(end.err.find("exclude each other"), std::string::npos) << end.err;
}

TEST(StatusProcess, GivesTheReportItselfToPrograms) {
  const NodeDirectory node;
  const ScriptedDaemon daemon(node.socket(), daemon_hello(), report_in_pieces());
  const ProgramEnd end = node.run({"status", "--json"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(end.out, kReport);
}

TEST(StatusProcess, SaysThatTheDaemonIsDown) {
  const NodeDirectory node;
  const ProgramEnd end = node.run({"status"});
  EXPECT_EQ(end.status, 1);
  EXPECT_NE(end.err.find("HINT: start pgwalshipd"), std::string::npos) << end.err;
}

TEST(Program, HelpsWithEachVerb) {
  EXPECT_NE(run_program({.words = {"--help"}}).out.find("push PATH NAME"), std::string::npos);
  for (const std::string verb : {"push", "fetch", "receive", "status"}) {
    const ProgramEnd end = run_program({.words = {verb, "--help"}});
    EXPECT_EQ(end.status, 0);
    EXPECT_TRUE(end.out.starts_with("Usage: pgwalship [--config FILE] " + verb)) << end.out;
    EXPECT_NE(end.out.find("Exit status:"), std::string::npos) << end.out;
  }
  EXPECT_EQ(run_program({.words = {"--version"}}).out, "pgwalship " PGWALSHIP_VERSION "\n");
}

TEST(Program, SuggestsTheVerbThatWasMeant) {
  const ProgramEnd end = run_program({.words = {"psuh", "a", "b"}});
  EXPECT_EQ(end.status, 2);
  EXPECT_NE(end.err.find("did you mean 'push'?"), std::string::npos) << end.err;
}

// PostgreSQL starts it for each segment; what it would load it would load each time.
TEST(Program, LoadsNoLibraryOfTheDaemons) {
  std::array<char, 4096> buffer;
  std::string libraries;
  FILE* ldd = ::popen("ldd " PGWALSHIP_PROGRAM, "r");
  ASSERT_NE(ldd, nullptr);
  while (std::fgets(buffer.data(), buffer.size(), ldd) != nullptr) {
    libraries += buffer.data();
  }
  ASSERT_EQ(::pclose(ldd), 0);
  EXPECT_NE(libraries.find("libc.so"), std::string::npos) << libraries;
  for (const char* library : {"libssh", "libpq", "spdlog", "libfmt", "boost"}) {
    EXPECT_EQ(libraries.find(library), std::string::npos) << libraries;
  }
}

}  // namespace
}  // namespace pgwalship
