#include "cmd/archive_watch.h"

#include "base/directory_watch.h"
#include "base/words.h"

#include <memory>
#include <optional>
#include <utility>

namespace pgwalship {

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
  machine_.index.refresh([this](const Result<void>& outcome) {
    if (!outcome.ok()) {
      machine_.log.warning(outcome.error().text());
    }
  });
  return {};
}

void ArchiveWatch::on_vanished(const std::vector<WalName>& names) {
  const std::string files = names.size() == 1
                                ? names.front().text() + " has"
                                : counted(names.size(), "file") + " (" + names.front().text() +
                                      " to " + names.back().text() + ") have";
  machine_.log.warning(
      Error{Errc::kNotFound,
            "archive '" + directory_ + "': " + files + " vanished, and pgwalship did not remove " +
                (names.size() == 1 ? "it" : "them") + "; peers that hold them are asked for them",
            "[retention] is what lets old files go on all nodes; find out what "
            "else removes files there"}
          .text());
  machine_.pushes.archive_grew();
}

}  // namespace pgwalship
