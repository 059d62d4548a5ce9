// Bytes that change on a disk, and a recovery that reads on and on meanwhile.
#include "tests/sim/receiver_process.h"
#include "tests/sim/world.h"
#include "wal/archive_layout.h"

namespace pgwalship::sim {

// One byte of what is compressed, or of the trailer: what a header's byte means is judged by unit
// tests.
void World::rot_something(NodeId node) {
  if (expiring_) {
    return;
  }
  MemoryFileSystem& memory = *machines_[node]->disk.memory;
  const auto files = memory.list(kArchiveDirectory);
  if (!files.ok() || files.value().empty()) {
    return;
  }
  const std::string& file = files.value()[schedule_.random().below(files.value().size())];
  const auto name = ArchiveLayout::name_of_file(file);
  if (!name || !checker_->may_rot(node, name->text())) {
    return;
  }
  const std::string path = std::string(kArchiveDirectory) + "/" + file;
  const Bytes content = memory.content(path);
  const auto header =
      parse_gzip_header(ByteView(content).first(std::min(content.size(), kGzipHeaderBytesMax)));
  if (!header.ok()) {
    return;
  }
  const std::size_t start = header.value().header_bytes;
  memory.flip_byte(path, start + schedule_.random().below(content.size() - start));
  checker_->rotted(node, name->text());
  say(node_name(node) + ": " + name->text() + " rots");
}

// What is durable elsewhere, while a daemon is there to see it.
void World::remove_something(NodeId node) {
  Machine& machine = *machines_[node];
  const auto files = machine.disk.memory->list(kArchiveDirectory);
  if (expiring_ || unnoted_ || !machine.daemon || !machine.daemon->ready() || !files.ok() ||
      files.value().empty()) {
    return;
  }
  const std::string& file = files.value()[schedule_.random().below(files.value().size())];
  const auto name = ArchiveLayout::name_of_file(file);
  if (!name || checker_->is_contested(*name) || !checker_->may_rot(node, name->text())) {
    return;
  }
  const std::string path = std::string(kArchiveDirectory) + "/" + file;
  say(node_name(node) + ": somebody removes " + name->text());
  checker_->taken_away(node, name->text());
  unnoted_ = node;
  CHECK(machine.disk.memory->remove(path).ok());
  machine.disk.name_changed(path);
  await_note(node, *name);
}

// A peer may bring it back before anybody has looked.
void World::await_note(NodeId node, const WalName& name) {
  later(milliseconds(10), milliseconds(20), [this, node, name] {
    const std::string path = std::string(kArchiveDirectory) + "/" + name.text() + ".gz";
    if (unnoted_ == node && machines_[node]->disk.memory->stat(path).ok()) {
      unnoted_.reset();
    } else if (unnoted_ == node) {
      await_note(node, name);
    }
  });
}

// It starts over when it has them all: what its disk has lost meanwhile comes from peers again.
void World::restore_next() {
  const NodeId node = machines_.size() - 1;
  if (machines_[node]->up) {
    restored_ = restored_ < scenario_.files_per_pusher ? restored_ : 0;
    start_fetch(node, name_of_file(kSegmentsFrom + restored_));
  }
}

}  // namespace pgwalship::sim
