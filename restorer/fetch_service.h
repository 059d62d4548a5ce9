// Carries out FetchPlans: brings a wanted file from a peer into the local archive, verified before
// it gets its name. Loop thread; disks are touched on the workers only. Decides nothing.
#pragma once

#include "base/log.h"
#include "base/worker.h"
#include "restorer/fetch_plan.h"
#include "transport/link_set.h"
#include "wal/archive_store.h"

#include <functional>
#include <map>
#include <memory>

namespace pgwalship {

class FetchService final : public LinkSet::Observer {
 public:
  struct Options {
    NodeList nodes;
    Quorum quorum;
    OnQuorumLoss on_quorum_loss = OnQuorumLoss::kWait;
  };
  // Everything is borrowed. `disk` stores, `scans` verifies.
  struct Machine {
    EventLoop& loop;
    Worker& disk;
    Worker& scans;
    LinkSet& links;
    ArchiveStore& store;
    Log& log;
  };

  FetchService(Options options, Machine machine);
  FetchService(const FetchService&) = delete;
  FetchService& operator=(const FetchService&) = delete;
  ~FetchService() override;

  // The answer comes once, from a later turn of the loop. kFound: the file is in the local archive,
  // durable and verified.
  using AnswerHandler = std::function<void(const FetchEnded&)>;
  void fetch(const WalName& name, Duration wait, AnswerHandler on_answer);

  void on_up(NodeId peer, const Hello& theirs) override;
  void on_down(NodeId peer, const Error& reason) override;

  // For EventLoop::on_turn.
  TimePoint tick(TimePoint now);

 private:
  using FetchId = std::uint64_t;
  // A file on its way from a peer. The loop thread and the disk worker hand it to each other.
  struct Pull {
    NodeId peer = 0;
    std::shared_ptr<StagedFile> staged;
    std::uint64_t received_bytes = 0;
    bool failed = false;
  };
  using PullRef = std::shared_ptr<Pull>;
  struct Fetching {
    WalName name;
    std::unique_ptr<FetchPlan> plan;
    AnswerHandler on_answer;
    std::map<NodeId, PullRef> pulls;
  };

  void start(FetchId id, Duration wait, FetchPlan::LocalCopy local, bool self_evidence);
  void feed(FetchId id, const FetchEvent& event);
  void act(FetchId id, const AskPeer& action);
  void act(FetchId id, const PullFrom& action);
  void act(FetchId id, const FetchEnded& action);
  void on_piece(FetchId id, const PullRef& pull, const Message& message);
  void finish_pull(FetchId id, const PullRef& pull, std::uint32_t file_crc32);
  void end_pull(FetchId id, const PullRef& pull, const Result<void>& result);

  const Options options_;
  Machine machine_;
  FetchId next_fetch_ = 1;
  std::map<FetchId, Fetching> fetches_;
};

}  // namespace pgwalship
