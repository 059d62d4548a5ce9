#include "cmd/daemon_workers.h"

#include <sys/resource.h>
#include <tuple>

namespace pgwalship {
namespace {

// Jobs that may wait for a disk: a push is at most kQueuedBytesMax of 64 KiB pieces, and a pull of
// the largest segment comes faster than it is written.
constexpr std::size_t kJobsMax = 4096;
// Looks at the archive for its index, which one more would repeat.
constexpr std::size_t kLooksMax = 64;
constexpr std::size_t kAheadWorkers = 2;
constexpr int kQuietNice = 10;

}  // namespace

DaemonWorkers::DaemonWorkers()
    : disk_(std::make_unique<Worker>(kJobsMax)),
      scans_(std::make_unique<Worker>(kJobsMax)),
      quiet_(std::make_unique<Worker>(kJobsMax)),
      looks_(std::make_unique<Worker>(kLooksMax)) {
  for (std::size_t i = 0; i < kAheadWorkers; ++i) {
    ahead_.push_back(std::make_unique<Worker>(kJobsMax));
  }
}

std::vector<Worker*> DaemonWorkers::ahead() const {
  std::vector<Worker*> workers;
  for (const auto& worker : ahead_) {
    workers.push_back(worker.get());
  }
  return workers;
}

Result<void> DaemonWorkers::run_on(EventLoop& loop) {
  std::vector<Worker*> watched = ahead();
  watched.insert(watched.end(), {disk_.get(), scans_.get(), quiet_.get()});
  for (Worker* const worker : watched) {
    TRY(loop.watch(worker->event_fd(), Interest::kRead,
                   [worker](EventLoop::Ready) { worker->drain(); }));
  }
  std::ignore = quiet_->post([]() -> Worker::Completion {
    std::ignore = setpriority(PRIO_PROCESS, 0, kQuietNice);  // of this thread alone, on Linux
    return [] {};
  });
  return {};
}

void DaemonWorkers::stop() {
  disk_.reset();
  scans_.reset();
  ahead_.clear();
  quiet_.reset();
  looks_.reset();
}

std::vector<std::pair<std::string, const Worker*>> DaemonWorkers::named() const {
  std::vector<std::pair<std::string, const Worker*>> named{{"disk", disk_.get()},
                                                           {"scans", scans_.get()},
                                                           {"quiet", quiet_.get()},
                                                           {"looks", looks_.get()}};
  for (const auto& worker : ahead_) {
    named.emplace_back("ahead", worker.get());
  }
  return named;
}

}  // namespace pgwalship
