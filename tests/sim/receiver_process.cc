#include "tests/sim/receiver_process.h"

#include "tests/sim/content.h"
#include "transport/receiver.h"
#include "wal/live_index.h"

#include <utility>

namespace pgwalship::sim {

Hello hello_of(NodeId node, Role role) {
  Hello hello;
  hello.role = role;
  hello.software = "simulated";
  hello.cluster = "sim";
  hello.node = node_name(node);
  hello.config_digest = 1;
  return hello;
}

ReceiverProcess::ReceiverProcess(Schedule& schedule, NodeDisk& disk, Options options,
                                 EndpointRef endpoint)
    : process_(schedule), node_disk_(disk), options_(options), endpoint_(std::move(endpoint)) {
  endpoint_->on_change = [this] { bell_.ring(); };
  process_.spawn([this] {
    run();
    endpoint_->close();
    exited_ = true;
  });
}

ReceiverProcess::~ReceiverProcess() {
  process_.kill();
  endpoint_->close();
}

void ReceiverProcess::run() {
  ProcessDisk disk(process_, node_disk_);
  ArchiveStore store(disk, {.directory = kArchiveDirectory, .seed = options_.seed});
  if (!store.prepare().ok()) {
    return;
  }
  const ScheduleClock clock(process_.schedule());
  LiveIndex index(
      disk, clock,
      {.directory = kArchiveDirectory,
       .names = LiveIndex::Names::kDurable,
       .seed = options_.seed,
       .note_vanished =
           [&store](std::vector<WalName> names) { return store.note_vanished(std::move(names)); }},
      [](const Worker::Job& job) {
        job()();
        return true;
      });
  bool changed = false;
  index.watch(std::make_unique<SimWatch>(node_disk_, kArchiveDirectory, [this, &changed] {
    changed = true;
    bell_.ring();
  }));
  std::unique_ptr<OfferedFiles> offered;
  if (!options_.data_directory.empty()) {
    offered = std::make_unique<OfferedFiles>(disk, store,
                                             OfferedFiles::Options{options_.data_directory, 1});
  }
  Receiver receiver(store, index, hello_of(options_.self, Role::kReceiver),
                    node_name(options_.from), std::move(offered));
  FrameDecoder decoder;
  while (process_.alive()) {
    bool idle = !std::exchange(changed, false);
    if (!idle) {
      index.on_changes();
    }
    if (const std::optional<Bytes> bytes = endpoint_->receive()) {
      idle = false;
      decoder.feed(*bytes);
      auto frame = decoder.next();
      for (; frame.ok() && frame.value(); frame = decoder.next()) {
        auto message = decode(*frame.value());
        CHECK(message.ok());
        if (message.value() && !receiver.ended() && process_.alive()) {
          receiver.on_message(std::move(*message.value()));
        }
      }
      CHECK(frame.ok());
    }
    if (receiver.next_look() <= process_.schedule().now()) {
      idle = false;
      receiver.look(process_.schedule().now());
    }
    while (endpoint_->has_room() && process_.alive()) {
      const std::optional<Message> output = receiver.next_output();
      if (!output) {
        if (receiver.ended()) {
          return;
        }
        break;
      }
      idle = false;
      Bytes bytes;
      encode(*output, bytes);
      endpoint_->send(bytes);
    }
    if (idle && endpoint_->at_end()) {
      return;
    }
    if (idle) {
      if (receiver.next_look() != kNever) {
        process_.after(receiver.next_look() - process_.schedule().now(), [this] { bell_.ring(); });
      }
      bell_.wait(process_);
    }
  }
}

}  // namespace pgwalship::sim
