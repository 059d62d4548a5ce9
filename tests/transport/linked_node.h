// One node of a small cluster as a daemon sees it: a loop, workers, an archive on a real disk, and
// links to peers' archives (receiver_link.h). The parts that a test is about are made over it.
#pragma once

#include "base/directory_watch.h"
#include "base/event_loop.h"
#include "base/log.h"
#include "base/worker.h"
#include "tests/support/temp_dir.h"
#include "tests/transport/receiver_link.h"
#include "tests/transport/receiver_session.h"
#include "transport/link_set.h"
#include "wal/live_index.h"

#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

namespace pgwalship {

inline Result<PutOutcome> put_file(ArchiveStore& store, const WalFile& file) {
  TRY_ASSIGN(const auto staged, store.stage(file.name));
  TRY(staged->append(file.bytes));
  return store.commit(*staged,
                      {.file_bytes = file.bytes.size(), .file_crc32 = crc32(0, file.bytes)});
}

// One bit in the middle of a file.
inline void rot(const std::string& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary | std::ios::ate);
  const auto middle = file.tellg() / 2;
  file.seekg(middle);
  const char byte = static_cast<char>(file.get() ^ 1);
  file.seekp(middle);
  file.put(byte);
  CHECK(file.good());
}

class LinkedNode {
 public:
  // Nodes pgdb1 (this one), pgdb2, ...; `peers` of them are linked.
  explicit LinkedNode(std::size_t peers) {
    CHECK(store_.prepare().ok());
    index_.watch(
        std::make_unique<DirectoryWatch>(DirectoryWatch::open(dir_.file("pgdb1")).value()));
    nodes_.self = 0;
    nodes_.nodes.push_back({"pgdb1", "", "", 22});
    for (Worker* worker : {disk_.get(), scans_.get(), quiet_.get()}) {
      CHECK(loop_
                ->watch(worker->event_fd(), Interest::kRead,
                        [worker](EventLoop::Ready) { worker->drain(); })
                .ok());
    }
    for (NodeId id = 1; id <= peers; ++id) {
      const std::string name = "pgdb" + std::to_string(id + 1);
      nodes_.nodes.push_back({name, "", "", 22});
      auto link = std::make_unique<ReceiverLink>(
          ReceiverLink::Options{.self = "pgdb1", .peer = name, .archive = dir_.file(name)});
      peers_.push_back(link.get());
      CHECK(links_.add(id, std::move(link)).ok());
    }
    // What others do in the same turn, after this, is seen a moment later.
    loop_->on_turn([this](TimePoint now) {
      if (done_ && done_()) {
        loop_->stop();
      }
      return done_ ? now + std::chrono::milliseconds(10) : kNever;
    });
  }
  // The workers first: their jobs use what the test made.
  ~LinkedNode() { stop_workers(); }
  LinkedNode(const LinkedNode&) = delete;
  LinkedNode& operator=(const LinkedNode&) = delete;
  void stop_workers() {
    disk_.reset();
    scans_.reset();
    quiet_.reset();
  }

  // Turns the loop until it holds, which it must: a test that hangs is ended by its runner.
  void run_until(std::function<bool()> done) {
    done_ = std::move(done);
    while (!done_()) {  // a stop() of the call before may end the first run
      CHECK(loop_->run().ok());
    }
    done_ = nullptr;
  }
  void run_until_linked() {
    run_until([this] {
      for (NodeId id = 1; id < nodes_.size(); ++id) {
        if (!links_.is_up(id)) {
          return false;
        }
      }
      return true;
    });
  }

  const NodeList& nodes() const { return nodes_; }
  EventLoop& loop() { return *loop_; }
  const Clock& clock() const { return clock_; }
  Worker& disk() { return *disk_; }
  Worker& scans() { return *scans_; }
  Worker& quiet() { return *quiet_; }
  LinkSet& links() { return links_; }
  FileSystem& file_system() { return file_system_; }
  ArchiveStore& store() { return store_; }
  LiveIndex& index() { return index_; }  // watched
  Log& log() { return log_; }
  ReceiverLink& peer(NodeId id) { return *peers_.at(id - 1); }
  std::string path(NodeId node, const std::string& file) const {
    return dir_.file(nodes_.at(node).name) + "/" + file;
  }

 private:
  TempDir dir_;
  PosixFileSystem file_system_;
  SystemClock clock_;
  Log log_{LogLevel::kError, LogTarget::kStderr};
  std::unique_ptr<EventLoop> loop_ = EventLoop::create(clock_).value();
  ArchiveStore store_{file_system_, {.directory = dir_.file("pgdb1"), .seed = 1}};
  std::unique_ptr<Worker> disk_ = std::make_unique<Worker>(4096);
  std::unique_ptr<Worker> scans_ = std::make_unique<Worker>(4096);
  std::unique_ptr<Worker> quiet_ = std::make_unique<Worker>(4096);
  LiveIndex index_{file_system_, clock_,
                   LiveIndex::Options{.directory = dir_.file("pgdb1"),
                                      .seed = 2,
                                      .note_vanished =
                                          [this](std::vector<WalName> names) {
                                            return store_.note_vanished(std::move(names));
                                          }},
                   [this](Worker::Job job) { return scans_->post(std::move(job)); }};
  LinkSet links_{*loop_};
  NodeList nodes_;
  std::vector<ReceiverLink*> peers_;
  std::function<bool()> done_;
};

}  // namespace pgwalship
