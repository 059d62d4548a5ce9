#include "tests/sim/daemon.h"

#include "tests/sim/pg_wal.h"
#include "tests/sim/receiver_process.h"

#include <utility>

namespace pgwalship::sim {

JobQueue::JobQueue(Process& process) : process_(process) {
  process_.spawn([this] {
    while (process_.alive()) {
      if (jobs_.empty()) {
        bell_.wait(process_);
        continue;
      }
      const auto job = std::move(jobs_.front());
      jobs_.pop_front();
      process_.after(Duration::zero(), job());
    }
  });
}

void JobQueue::post(std::function<Completion()> job) {
  jobs_.push_back(std::move(job));
  bell_.ring();
}

Daemon::Daemon(Schedule& schedule, NodeDisk& disk, Options options)
    : process_(schedule),
      node_disk_(disk),
      disk_(process_, disk),
      options_(std::move(options)),
      store_(disk_, {.directory = kArchiveDirectory, .seed = options_.seed}),
      disk_jobs_(process_),
      scan_jobs_(process_),
      read_jobs_(process_),
      clock_(schedule),
      index_(disk_, clock_,
             {.directory = kArchiveDirectory,
              .seed = options_.seed,
              .note_vanished =
                  [this](std::vector<WalName> names) {
                    return store_.note_vanished(std::move(names));
                  }},
             [this](Worker::Job job) {
               scan_jobs_.post(std::move(job));
               return true;
             }),
      prefetch_(options_.nodes.size() > 1 ? options_.prefetch : 0),
      scrub_pace_(options_.scrub_pass, schedule.now()) {
  watch_archive();
  start();
}

void Daemon::watch_archive() {
  index_.watch(std::make_unique<SimWatch>(node_disk_, kArchiveDirectory, [this] {
    if (!std::exchange(changed_, true)) {
      process_.after(Duration::zero(), [this] {
        changed_ = false;
        index_.on_changes();
      });
    }
  }));
  index_.on_vanished([this](const std::vector<WalName>& names) {
    options_.on_vanished(names);
    if (shipper_) {
      feed(ArchiveGrew{});
    }
  });
}

// As cmd/archive_watch.cc does: until then no absence here is evidence.
void Daemon::scan_archive() {
  index_.refresh([this](const Result<void>& outcome) {
    if (!outcome.ok()) {
      process_.after(seconds(5), [this] { scan_archive(); });
    }
  });
}

Daemon::~Daemon() {
  process_.kill();
}

void Daemon::start() {
  disk_jobs_.post([this]() -> JobQueue::Completion {
    const bool prepared = store_.prepare().ok();
    return [this, prepared] {
      if (!prepared) {
        process_.after(seconds(1), [this] { start(); });  // as systemd restarts it
        return;
      }
      scan_archive();
      shipper_.emplace(
          Shipper::Options{options_.nodes, options_.quorum, options_.on_quorum_loss, 0});
      for (NodeId peer = 0; peer < options_.nodes.size(); ++peer) {
        if (is_peer(peer)) {
          links_[peer] = std::make_unique<Link>(
              process_, Link::Options{
                            .self = options_.nodes.self,
                            .peer = peer,
                            .connect = [this, peer] { return options_.connect(peer); },
                            .hello = [this] { return hello(); },
                            .on_up = [this, peer](const Hello& theirs) { on_up(peer, theirs); },
                            .on_down = [this, peer](const std::string& why) { on_down(peer, why); },
                        });
        }
      }
      if (options_.server == Options::Server::kKnown) {
        back_filler_ = std::make_unique<BackFiller>(
            process_, disk_, store_,
            BackFiller::Options{.node = node_name(options_.nodes.self),
                                .on_archive_grown = [this] { feed(ArchiveGrew{}); },
                                .say = options_.say});
      }
      if (options_.look_ahead > 0) {
        look_ahead_.emplace(LookAhead::Options{options_.look_ahead});
        look_at_marks();
      }
      arm();
      scrub_later();
    };
  });
}

Hello Daemon::hello() {
  Hello hello = hello_of(options_.nodes.self, Role::kDaemon);
  const auto system_id = store_.system_id();
  hello.system_id = system_id.ok() ? system_id.value() : 0;
  hello.reconciled = store_.reconciled();
  return hello;
}

void Daemon::on_up(NodeId peer, const Hello& theirs) {
  feed(PeerGreeted{peer, theirs.reconciled || mutated(Mutation::kNewNodesCount)});
  std::vector<std::uint64_t> ids;
  for (const auto& [id, fetching] : fetches_) {
    ids.push_back(id);
  }
  for (const std::uint64_t id : ids) {
    arrive(id, peer, theirs);
  }
}

void Daemon::on_down(NodeId peer, const std::string& reason) {
  comparisons_.erase(peer);
  const auto end_if_from = [peer](const auto& entry) {
    const bool lost = entry.second->peer == peer;
    entry.second->over = entry.second->over || lost;
    return lost;
  };
  std::erase_if(pulls_, end_if_from);
  feed(PeerLost{peer, reason});
  for (auto& [id, fetching] : fetches_) {
    std::erase_if(fetching.pulls, end_if_from);
  }
  feed_fetches([&] { return PeerVanished{peer}; });
}

void Daemon::tick() {
  const TimePoint now = process_.schedule().now();
  if (shipper_->next_wakeup() <= now) {
    feed(Tick{});
  }
  if (look_ahead_) {
    note_newcomers();
    if (look_ahead_->next_wakeup() <= now) {
      feed_ahead(AheadTick{});
    }
  }
  std::vector<std::uint64_t> due;
  for (const auto& [id, fetching] : fetches_) {
    if (fetching.plan && fetching.plan->next_wakeup() <= now) {
      due.push_back(id);
    }
  }
  for (const std::uint64_t id : due) {
    feed_fetch(id, FetchTick{});
  }
  arm();
}

// Stands for the loop's timer, which may be early and is never late.
void Daemon::arm() {
  const TimePoint now = process_.schedule().now();
  TimePoint next = shipper_->next_wakeup();
  next = look_ahead_ ? std::min(next, look_ahead_->next_wakeup()) : next;
  for (const auto& [id, fetching] : fetches_) {
    next = fetching.plan ? std::min(next, fetching.plan->next_wakeup()) : next;
  }
  if (next < wake_at_ || wake_at_ <= now) {
    wake_at_ = next;
    if (next != kNever) {
      process_.after(std::max(next - now, Duration(microseconds(100))), [this] { tick(); });
    }
  }
}

}  // namespace pgwalship::sim
