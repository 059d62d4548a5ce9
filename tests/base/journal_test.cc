#include "base/journal.h"

#include "base/log.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <array>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace pgwalship {
namespace {

TEST(JournalDatagram, HasALineForEachField) {
  const Bytes datagram = journal_datagram({{"MESSAGE", "peer b: current"}, {"PRIORITY", "6"}});
  EXPECT_EQ(as_text(datagram), "MESSAGE=peer b: current\nPRIORITY=6\n");
}

TEST(JournalDatagram, GivesTheLengthOfAValueWithLineBreaks) {
  const Bytes datagram = journal_datagram({{"MESSAGE", "a\nHINT: b"}});
  EXPECT_EQ(as_text(datagram),
            std::string("MESSAGE\n\x09\0\0\0\0\0\0\0a\nHINT: b\n", 8 + 8 + 9 + 1));
}

TEST(JournalDatagram, CutsOffWhatNoDatagramHolds) {
  EXPECT_LT(journal_datagram({{"MESSAGE", std::string(1U << 20, 'x')}}).size(), 64U << 10);
}

class Journal {
 public:
  explicit Journal(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    path.copy(at.sun_path, sizeof at.sun_path - 1);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
  }
  std::string take() const {
    std::array<char, 4096> buffer;
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    return got < 0 ? "nothing" : std::string(buffer.data(), static_cast<std::size_t>(got));
  }

 private:
  Fd socket_;
};

TEST(JournalSocket, SendsOneDatagramAMessage) {
  const TempDir dir;
  const std::string path = dir.path() + "/socket";
  const Journal journal(path);
  const JournalSocket socket(path);
  EXPECT_TRUE(socket.send({{"MESSAGE", "hello"}}));
  EXPECT_EQ(journal.take(), "MESSAGE=hello\n");
}

TEST(JournalSocket, SaysWhenThereIsNoJournal) {
  const TempDir dir;
  EXPECT_FALSE(JournalSocket(dir.path() + "/socket").send({{"MESSAGE", "hello"}}));
  EXPECT_FALSE(JournalSocket(std::string(200, 'x')).send({{"MESSAGE", "hello"}}));
}

TEST(JournalSocket, NeverWaitsForAJournalThatDoesNotRead) {
  const TempDir dir;
  const std::string path = dir.path() + "/socket";
  const Journal journal(path);
  const JournalSocket socket(path);
  bool taken = true;
  for (int i = 0; i < 100'000 && taken; ++i) {
    taken = socket.send({{"MESSAGE", "hello"}});
  }
  EXPECT_FALSE(taken);
}

TEST(JournalLog, CarriesLevelNameAndFields) {
  const TempDir dir;
  const std::string path = dir.path() + "/socket";
  const Journal journal(path);
  Log log(LogLevel::kInfo, LogTarget::kJournal, JournalSocket(path));
  log.write(LogLevel::kError, "peer b: lost", {{"PGWALSHIP_PEER", "b"}});
  EXPECT_EQ(journal.take(),
            "MESSAGE=peer b: lost\nPRIORITY=3\nSYSLOG_IDENTIFIER=pgwalship\nPGWALSHIP_PEER=b\n");
  log.debug("left out");
  EXPECT_EQ(journal.take(), "nothing");
}

TEST(StderrIsJournal, WhenSystemdSaysThisVeryDescriptor) {
  struct stat found {};
  ASSERT_EQ(::fstat(2, &found), 0);
  const std::string ours = std::to_string(found.st_dev) + ":" + std::to_string(found.st_ino);
  EXPECT_TRUE(stderr_is_journal(ours.c_str()));
  EXPECT_FALSE(stderr_is_journal((ours + "1").c_str())) << "it was redirected since";
  EXPECT_FALSE(stderr_is_journal(""));
  EXPECT_FALSE(stderr_is_journal(nullptr));
}

}  // namespace
}  // namespace pgwalship
