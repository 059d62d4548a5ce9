#include "base/fd.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <pwd.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace pgwalship {
namespace {

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0);
    read = Fd(ends[0]);
    write = Fd(ends[1]);
  }
  Fd read;
  Fd write;
};

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

TEST(Fd, ClosesItsDescriptorWhenItGoes) {
  int number = -1;
  {
    const Pipe pipe;
    number = pipe.read.get();
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(Fd, MoveAssignmentClosesTheOldOneAndTakesTheNewOne) {
  Pipe pipe;
  const int old_number = pipe.read.get();
  const int new_number = pipe.write.get();
  pipe.read = std::move(pipe.write);
  EXPECT_FALSE(is_open(old_number));
  EXPECT_EQ(pipe.read.get(), new_number);
  EXPECT_FALSE(pipe.write.valid());
}

TEST(Fd, DuplicateOutlivesTheFirstAndIsClosedOnExec) {
  Pipe pipe;
  auto copy = pipe.write.duplicate();
  ASSERT_TRUE(copy.ok());
  pipe.write.reset();
  EXPECT_TRUE(write_full(copy.value().get(), as_bytes("x"), "write").ok());
  EXPECT_EQ(::fcntl(copy.value().get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(Fd, DuplicateOfNothingIsAnError) {
  EXPECT_EQ(Fd().duplicate().error().code, Errc::kIo);
}

TEST(ErrnoError, SaysWhatTheCallerCanDo) {
  EXPECT_EQ(errno_error("x", ENOSPC).code, Errc::kNoSpace);
  EXPECT_EQ(errno_error("x", EDQUOT).code, Errc::kNoSpace);
  EXPECT_EQ(errno_error("x", ENOENT).code, Errc::kNotFound);
  EXPECT_EQ(errno_error("x", EEXIST).code, Errc::kAlreadyExists);
  EXPECT_EQ(errno_error("x", ETIMEDOUT).code, Errc::kTimeout);
  EXPECT_EQ(errno_error("x", ECONNREFUSED).code, Errc::kRetry);
  EXPECT_EQ(errno_error("x", EPIPE).code, Errc::kRetry);
  EXPECT_EQ(errno_error("x", EIO).code, Errc::kIo);
  EXPECT_EQ(errno_error("x", EACCES).code, Errc::kIo);
}

TEST(ErrnoError, NamesTheOperation) {
  EXPECT_EQ(errno_error("open '/a/b'", ENOENT).message, "open '/a/b': No such file or directory");
}

TEST(ErrnoError, SaysWhoIsNotLetIn) {
  const std::string user = ::getpwuid(::geteuid())->pw_name;
  EXPECT_EQ(errno_error("open '/a/b'", EACCES).hint,
            "its owner and mode, and those of the directories above it, must let the user " + user +
                " in");
}

TEST(ReadFull, ReadsAcrossManyShortReads) {
  Pipe pipe;
  const Bytes sent(1'000'000, std::byte{7});  // many times what a pipe holds
  std::thread writer([&] { CHECK(write_full(pipe.write.get(), sent, "write").ok()); });
  Bytes got(sent.size());
  const auto read = read_full(pipe.read.get(), got, "read");
  writer.join();
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(got, sent);
}

TEST(ReadFull, EndOfFileInTheMiddleIsCorrupt) {
  Pipe pipe;
  ASSERT_TRUE(write_full(pipe.write.get(), as_bytes("abc"), "write").ok());
  pipe.write.reset();
  Bytes got(4);
  const auto read = read_full(pipe.read.get(), got, "read header");
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, Errc::kCorrupt);
  EXPECT_EQ(read.error().message, "read header: unexpected end of file");
}

TEST(ReadFull, SaysWhyItFailed) {
  Pipe pipe;
  Bytes got(1);
  const auto read = read_full(pipe.write.get(), got, "read header");
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().message, "read header: Bad file descriptor");
}

TEST(WriteFull, SaysWhyItFailed) {
  Pipe pipe;
  const auto written = write_full(pipe.read.get(), as_bytes("x"), "write answer");
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().message, "write answer: Bad file descriptor");
}

TEST(ErrnoError, ThatSomethingIsForbiddenHasAHint) {
  EXPECT_NE(errno_error("open 'f'", EACCES).hint, "");
  EXPECT_EQ(errno_error("open 'f'", EIO).hint, "");
}

}  // namespace
}  // namespace pgwalship
