#include "cmd/archive_watch.h"

#include "base/directory_watch.h"
#include "base/words.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace pgwalship {
namespace {

constexpr std::chrono::minutes kVanishedInterval{1};
// Peers bring back what vanished within a minute or two.
constexpr std::chrono::seconds kLookInterval{5};

}  // namespace

Result<void> ArchiveWatch::start() {
  TRY(machine_.loop.watch(machine_.looks.event_fd(), Interest::kRead,
                          [this](EventLoop::Ready) { machine_.looks.drain(); }));
  if (auto watch = DirectoryWatch::open(directory_); watch.ok()) {
    machine_.index.watch(std::make_unique<DirectoryWatch>(std::move(watch).value()));
    TRY(machine_.loop.watch(machine_.index.fd(), Interest::kRead,
                            [this](EventLoop::Ready) { machine_.index.on_changes(); }));
  } else {
    machine_.log.warning(watch.error().text());
  }
  machine_.index.on_growth([this](const std::optional<WalName>& name) {
    if (!name || !machine_.pushes.is_own(*name)) {
      machine_.gauge.file_arrived();
      machine_.pushes.archive_grew();
    }
  });
  machine_.index.on_vanished([this](const std::vector<WalName>& names) { on_vanished(names); });
  scan();
  return {};
}

// Until one has succeeded the absence of a file here is no evidence, and who cannot connect to
// anybody compares nothing that would scan.
void ArchiveWatch::scan() {
  scan_at_ = kNever;
  machine_.index.refresh([this](const Result<void>& outcome) {
    if (outcome.ok()) {
      cannot_scan_.ends();
      return;
    }
    scan_at_ = machine_.loop.now() + kLookInterval;
    if (cannot_scan_.begins(outcome.error().text())) {
      machine_.log.warning(outcome.error().text());
    }
  });
}

void ArchiveWatch::on_vanished(const std::vector<WalName>& names) {
  first_ = vanished_ == 0 ? names.front().text() : first_;
  last_ = names.back().text();
  vanished_ += names.size();
  ++times_;
  lacks_ = true;
  look_at_ = machine_.loop.now() + kLookInterval;
  machine_.pushes.archive_grew();
}

TimePoint ArchiveWatch::tick(TimePoint now) {
  if (vanished_ > 0 && now >= tell_at_) {
    tell();
    vanished_ = 0;
    tell_at_ = now + kVanishedInterval;
  }
  if (now >= scan_at_) {
    scan();
  }
  if (peers_ == Peers::kSome && now >= look_at_) {
    look_at_ = kNever;
    look();
  }
  return std::min(
      {scan_at_, peers_ == Peers::kSome ? look_at_ : kNever, vanished_ > 0 ? tell_at_ : kNever});
}

// Also those who fill this archive call it whole again, without a word to this process.
void ArchiveWatch::look() {
  const bool posted = machine_.looks.post([this, times = times_]() -> Worker::Completion {
    const Result<ArchiveStore::Vanished> found = machine_.store.vanished();
    return [this, times, lacks = !found.ok() || found.value().mark != 0] {
      if (times != times_) {
        return;  // more has vanished since: that has its own look
      }
      if (std::exchange(lacks_, lacks) && !lacks) {
        machine_.log.info("the archive here is complete again after files had vanished");
      }
      look_at_ = lacks ? machine_.loop.now() + kLookInterval : kNever;
    };
  });
  if (!posted) {
    look_at_ = machine_.loop.now() + kLookInterval;
  }
}

void ArchiveWatch::tell() {
  const std::string files =
      vanished_ == 1 ? first_ + " has"
                     : counted(vanished_, "file") + " (" + first_ + " to " + last_ + ") have";
  machine_.log.warning(Error{
      Errc::kNotFound,
      "archive '" + directory_ + "': " + files + " vanished, and pgwalship did not remove " +
          (vanished_ == 1 ? "it" : "them") +
          (peers_ == Peers::kSome ? "; peers that have what is missing here will bring it back"
                                  : "; there is no peer to bring it back: a recovery stops there"),
      "[retention] is what lets old files go on all nodes; find out what "
      "else removes files there"}
                           .text());
}

}  // namespace pgwalship
