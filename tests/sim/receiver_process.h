// `pgwalship receive` on a simulated node: the real Receiver over the real store, between the
// network and the node's disk. It outlives the sender as long as the network lets it: what was
// delivered is still carried out.
#pragma once

#include "tests/sim/disk.h"
#include "tests/sim/network.h"
#include "transport/messages.h"

namespace pgwalship::sim {

inline constexpr const char* kArchiveDirectory = "/archive";

class ReceiverProcess {
 public:
  struct Options {
    NodeId self = 0;
    NodeId from = 0;
    std::uint64_t seed = 0;
    std::string data_directory = {};  // empty: takes no offers
  };

  ReceiverProcess(Schedule& schedule, NodeDisk& disk, Options options, EndpointRef endpoint);
  ~ReceiverProcess();

  bool exited() const { return exited_; }

 private:
  void run();

  Process process_;
  NodeDisk& node_disk_;
  const Options options_;
  EndpointRef endpoint_;
  Process::Bell bell_;
  bool exited_ = false;
};

// What both Hellos of a node say, without the fields that its archive knows.
Hello hello_of(NodeId node, Role role);

}  // namespace pgwalship::sim
