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
constexpr int kQuietNice = 10;

}  // namespace

DaemonWorkers::DaemonWorkers()
    : disk_(std::make_unique<Worker>(kJobsMax)),
      scans_(std::make_unique<Worker>(kJobsMax)),
      ahead_(std::make_unique<Worker>(kJobsMax)),
      quiet_(std::make_unique<Worker>(kJobsMax)),
      looks_(std::make_unique<Worker>(kLooksMax)) {}

Result<void> DaemonWorkers::run_on(EventLoop& loop) {
  for (Worker* const worker : {disk_.get(), scans_.get(), ahead_.get(), quiet_.get()}) {
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
  for (auto* const worker : {&disk_, &scans_, &ahead_, &quiet_, &looks_}) {
    worker->reset();
  }
}

std::vector<std::pair<std::string, const Worker*>> DaemonWorkers::named() const {
  return {{"disk", disk_.get()},
          {"scans", scans_.get()},
          {"ahead", ahead_.get()},
          {"quiet", quiet_.get()},
          {"looks", looks_.get()}};
}

}  // namespace pgwalship
