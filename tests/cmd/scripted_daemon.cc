#include "tests/cmd/scripted_daemon.h"

#include "base/mailbox.h"

#include <gtest/gtest.h>

#include <array>
#include <poll.h>

namespace pgwalship {

ScriptedDaemon::ScriptedDaemon(const std::string& socket, Hello hello, Script script)
    : hello_(std::move(hello)), script_(std::move(script)), over_(make_eventfd()) {
  auto listener = LocalListener::listen(socket);
  CHECK(listener.ok());
  listener_ = std::move(listener).value();
  thread_ = std::thread([this] { run(); });
}

ScriptedDaemon::~ScriptedDaemon() {
  signal_eventfd(over_.get());
  thread_.join();
}

bool ScriptedDaemon::wait_for(int fd, short events) {
  std::array<pollfd, 2> fds{{{fd, events, 0}, {over_.get(), POLLIN, 0}}};
  ::poll(fds.data(), fds.size(), -1);
  return fds[1].revents == 0;
}

void ScriptedDaemon::run() {
  while (wait_for(listener_->fd(), POLLIN)) {
    auto client = listener_->accept();
    if (client.ok() && client.value().has_value()) {
      serve(*client.value());
    }
  }
}

void ScriptedDaemon::serve(const Fd& client) {
  MessageStream stream(client.get(), client.get());
  for (;;) {
    const short events = static_cast<short>(stream.has_output() ? POLLIN | POLLOUT : POLLIN);
    if (!wait_for(client.get(), events)) {
      return;
    }
    const auto open = stream.receive();
    if (!open.ok() || !open.value()) {
      return;
    }
    for (;;) {
      auto message = stream.next();
      if (!message.ok() || !message.value().has_value()) {
        break;
      }
      if (std::holds_alternative<Hello>(*message.value())) {
        stream.send(hello_);
        continue;
      }
      if (const auto* claim = std::get_if<Claim>(&*message.value())) {
        stream.send(ClaimDeclined{claim->id});  // no script is about it
        continue;
      }
      const Answer answer = script_(*message.value());
      for (const Message& out : answer.messages) {
        stream.send(out);
      }
      if (answer.then == Answer::Then::kHangUp) {
        std::ignore = stream.flush();
        return;
      }
    }
    if (!stream.flush().ok()) {
      return;
    }
  }
}

Hello daemon_hello() {
  Hello hello;
  hello.role = Role::kAnsweringDaemon;
  hello.software = "pgwalship test";
  hello.cluster = "main";
  hello.node = "pgdb1";
  hello.compression_level = 1;
  return hello;
}

}  // namespace pgwalship
