// A receiver without an archive, as forced command of a test's sshd: scripted_receiver NODE DATA.
// It greets as NODE, answers Ping, acknowledges a file whose checksum is right, knows no file
// (Stat), and answers every Get with DATA pieces of 64 KiB.
#include "base/fd.h"
#include "transport/messages.h"

#include <cstdio>
#include <map>
#include <string>
#include <unistd.h>

namespace pgwalship {
namespace {

class ScriptedReceiver {
 public:
  ScriptedReceiver(std::string node, std::uint64_t data_per_get)
      : node_(std::move(node)), data_per_get_(data_per_get) {}

  void on_message(const Message& message) {
    std::visit([this](const auto& each) { on(each); }, message);
  }

 private:
  void on(const Hello& theirs) {
    Hello mine = theirs;
    mine.role = Role::kReceiver;
    mine.node = node_;
    answer(mine);
  }
  void on(const Ping& ping) { answer(Pong{ping.number}); }
  void on(const Put& put) { checksums_[put.id] = 0; }
  void on(const Data& data) { checksums_[data.id] = crc32(checksums_[data.id], data.bytes); }
  void on(const PutEnd& end) {
    Done done{};
    done.id = end.id;
    if (checksums_[end.id] != end.file_crc32) {
      done.error = Error{Errc::kCorrupt, "wrong checksum", ""};
    }
    checksums_.erase(end.id);
    answer(done);
  }
  void on(const Stat& stat) {
    StatResult result;
    result.id = stat.id;
    answer(result);
  }
  void on(const Get& get) {
    GetBegin begin;
    begin.id = get.id;
    begin.file_bytes = data_per_get_ * kDataBytesMax;
    answer(begin);
    const Data data{get.id, Bytes(kDataBytesMax)};
    for (std::uint64_t i = 0; i < data_per_get_; ++i) {
      answer(data);
    }
    answer(GetEnd{get.id, 0});
  }
  template <typename Other>
  void on(const Other&) {
    answer(Failure{{Errc::kProtocol, "not in the script", ""}});
  }

  static void answer(const Message& message) {
    Bytes bytes;
    encode(message, bytes);
    if (!write_full(STDOUT_FILENO, bytes, "answer").ok()) {
      std::exit(1);
    }
  }

  const std::string node_;
  const std::uint64_t data_per_get_;
  std::map<std::uint64_t, std::uint32_t> checksums_;
};

int run(ScriptedReceiver receiver) {
  FrameDecoder decoder;
  Bytes buffer(1U << 16);
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got <= 0) {
      return 0;
    }
    decoder.feed(ByteView(buffer).first(static_cast<std::size_t>(got)));
    for (;;) {
      const auto frame = decoder.next();
      if (!frame.ok() || !frame.value()) {
        break;
      }
      const auto message = decode(*frame.value());
      CHECK(message.ok());
      if (message.value()) {
        receiver.on_message(*message.value());
      }
    }
  }
}

}  // namespace
}  // namespace pgwalship

int main(int argc, char** argv) {
  CHECK(argc == 3);
  return pgwalship::run({argv[1], std::stoull(argv[2])});
}
