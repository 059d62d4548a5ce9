#include "transport/file_pull.h"

#include <utility>

namespace pgwalship {

namespace {

Error too_slow(const char* what) {
  return Error{Errc::kRetry, std::string("the disk is too slow: ") + what,
               "see iostat for the file system of [archive] directory"};
}

// A bad copy is the peer's, a conflict is nobody's: everything else went wrong here.
FilePull::Fault fault_of(const Error& error) {
  return error.code == Errc::kCorrupt || error.code == Errc::kConflict ||
                 error.code == Errc::kInvalid
             ? FilePull::Fault::kPeer
             : FilePull::Fault::kHere;
}

}  // namespace

FilePull::FilePull(Machine machine, Wish wish, Handler on_end)
    : machine_(machine), wish_(std::move(wish)), on_end_(std::move(on_end)) {}

std::shared_ptr<FilePull> FilePull::start(Machine machine, Wish wish, Handler on_end) {
  CHECK(machine.links.is_up(wish.peer));
  std::shared_ptr<FilePull> pull(new FilePull(machine, std::move(wish), std::move(on_end)));
  pull->ask();
  return pull;
}

void FilePull::ask() {
  request_ = machine_.links.request(
      wish_.peer,
      [&](std::uint64_t id) -> Message {
        return Get{id, wish_.name, wish_.urgency};
      },
      [self = shared_from_this()](const Message& message) { self->on_message(message); });
}

void FilePull::abandon() {
  if (std::exchange(over_, true)) {
    return;
  }
  on_end_ = nullptr;
  waiting_.clear();
  if (machine_.links.is_up(wish_.peer)) {
    machine_.links.forget(wish_.peer, request_);
  }
  drop_staged();
}

// Removing the temporary file is the worker's, too; when that has no room, it is done here.
void FilePull::drop_staged() {
  if (job_out_ || !staged_) {
    return;
  }
  struct Left {
    std::unique_ptr<StagedFile> staged;
    std::unique_ptr<SpooledFile> unpacked;
  };
  std::ignore = machine_.storer.post(
      [left = std::make_shared<Left>(Left{std::move(staged_), std::move(unpacked_)})] {
        *left = {};
        return Worker::Completion([] {});
      });
}

void FilePull::on_message(const Message& message) {
  if (over_) {
    return;
  }
  if (const auto* done = std::get_if<Done>(&message)) {
    end(done->error ? *done->error : Error{Errc::kProtocol, "no file came", ""}, Fault::kPeer);
  } else if (const auto* data = std::get_if<Data>(&message)) {
    received_bytes_ += data->bytes.size();
    if (wish_.on_piece) {
      wish_.on_piece();
    }
    waiting_.insert(waiting_.end(), data->bytes.begin(), data->bytes.end());
    if (waiting_.size() > kPullWaitingBytesMax) {
      end(too_slow("the peer sends faster than it writes"), Fault::kHere);
      return;
    }
    pump();
  } else if (const auto* get_end = std::get_if<GetEnd>(&message)) {
    file_crc32_ = get_end->file_crc32;
    pump();
  }
}

void FilePull::pump() {
  if (job_out_ || over_) {
    return;
  }
  if (!waiting_.empty()) {
    post([self = shared_from_this(), bytes = std::make_shared<Bytes>(std::exchange(waiting_, {}))] {
      return self->append(*bytes);
    });
  } else if (file_crc32_) {
    post([self = shared_from_this()] { return self->commit(); });
  }
}

void FilePull::post(std::function<Worker::Completion()> job) {
  job_out_ = machine_.storer.post(std::move(job));
  if (!job_out_) {
    end(too_slow("its queue is full"), Fault::kHere);
  }
}

// On the worker, as the next three.
Result<void> FilePull::stage() {
  TRY_ASSIGN(staged_, machine_.store.stage(wish_.name, wish_.reserve));
  staged_->verify_as_it_comes([this](ByteView raw) {
    unpack(raw);
    return Result<void>();
  });
  return {};
}

// A spool that cannot take it costs nothing but the unpacking by whoever wants it.
void FilePull::unpack(ByteView raw) {
  if (!std::exchange(is_content_met_, true) && wish_.spool != nullptr) {
    if (const auto claimed = staged_->claimed()) {
      auto created = wish_.spool->create(wish_.name, *claimed);
      unpacked_ = created.ok() ? std::move(created).value() : nullptr;
    }
  }
  if (unpacked_) {
    unpacked_->append(raw);
  }
}

Worker::Completion FilePull::append(const Bytes& bytes) {
  Result<void> result = staged_ ? Result<void>() : stage();
  if (result.ok() && bytes.size() > kPullUnpackBytesMax) {
    staged_->verify_in_commit();
    unpacked_.reset();
  }
  if (result.ok()) {
    result = staged_->append(bytes);
  }
  if (!result.ok()) {
    staged_.reset();
    unpacked_.reset();
  }
  return [self = shared_from_this(), result] {
    self->job_out_ = false;
    if (self->over_) {
      self->drop_staged();
    } else if (!result.ok()) {
      self->end(result.error(), Fault::kHere);
    } else {
      self->pump();
    }
  };
}

// The checksum only says that it came over as it lies there.
Worker::Completion FilePull::commit() {
  Result<PutOutcome> result = Error{Errc::kCorrupt, "the file is empty there", ""};
  std::string spooled;
  if (staged_) {
    result = machine_.store.commit(*staged_, {.file_bytes = staged_->size(),
                                              .file_crc32 = *file_crc32_,
                                              .content = ArchiveStore::Content::kVerify});
    if (unpacked_ && result.ok()) {
      spooled = wish_.spool->publish(*unpacked_);
    }
    staged_.reset();
    unpacked_.reset();
  }
  return [self = shared_from_this(), result, spooled] {
    self->job_out_ = false;
    self->spooled_ = spooled;
    self->end(result, result.ok() ? Fault::kNone : fault_of(result.error()));
  };
}

void FilePull::end(const Result<PutOutcome>& result, Fault fault) {
  if (over_) {
    return;
  }
  const Handler handler = std::exchange(on_end_, nullptr);
  abandon();
  handler(result, fault);
}

}  // namespace pgwalship
