#include "cmd/client_door.h"

#include <utility>

namespace pgwalship {

ClientDoor::ClientDoor(EventLoop& loop, LocalListener& listener, Log& log,
                       std::function<void(Fd)> on_client)
    : loop_(loop), listener_(listener), log_(log), on_client_(std::move(on_client)) {}

Result<void> ClientDoor::open() {
  return loop_.watch(listener_.fd(), Interest::kRead, [this](EventLoop::Ready) { accept(); });
}

void ClientDoor::close() {
  again_ = kNever;
  loop_.unwatch(listener_.fd());
}

void ClientDoor::accept() {
  Result<std::optional<Fd>> accepted = listener_.accept();
  if (accepted.ok()) {
    trouble_.ends();
    if (accepted.value().has_value()) {
      on_client_(std::move(*accepted.value()));
    }
  } else if (accepted.error().code == Errc::kInvalid) {  // of this one client
    if (trouble_.begins(accepted.error().text())) {
      log_.warning(accepted.error().text());
    }
  } else {
    pause(accepted.error());
  }
}

void ClientDoor::pause(const Error& why) {
  if (trouble_.begins(why.text())) {
    log_.warning(why.text() + "; tried again every " + std::to_string(kPause.count()) + " s");
  }
  if (loop_.change(listener_.fd(), Interest::kNone).ok()) {
    again_ = loop_.now() + kPause;
  }
}

TimePoint ClientDoor::tick(TimePoint now) {
  if (again_ <= now) {
    again_ = loop_.change(listener_.fd(), Interest::kRead).ok() ? kNever : now + kPause;
  }
  return again_;
}

}  // namespace pgwalship
