// What a Receiver answers about the archive: what is in it, and what the absence of a file says.
#include "transport/receiver.h"

#include <memory>
#include <string>
#include <utility>

namespace pgwalship {

void Receiver::on_stat(Stat stat) {
  if (!take_new_id(stat.id)) {
    return;
  }
  if (stat.look == Look::kHeader) {
    answer(stat);
  } else if (to_read_.size() < kOpenReadsMax) {
    to_read_.push_back(std::move(stat));
  } else {
    refuse(stat.id, Error{Errc::kRetry,
                          "more than " + std::to_string(kOpenReadsMax) + " files to be read",
                          {}});
  }
}

void Receiver::answer(const Stat& stat) {
  StatResult result;
  result.id = stat.id;
  result.reconciled = store_.reconciled();
  Result<ArchiveFile> present = open(stat.name);
  if (present.ok() && stat.look == Look::kContent) {
    if (const auto content = store_.verify(stat.name); !content.ok()) {
      present = content.error();
    }
  }
  if (present.ok()) {
    result.presence = Presence::kPresent;
    result.file_bytes = present.value().file_bytes;
    result.facts = present.value().facts.value_or(FileFacts{});
  } else if (present.error().code == Errc::kCorrupt) {
    result.presence = Presence::kCorrupt;
  } else if (present.error().code != Errc::kNotFound) {
    refuse(stat.id, present.error());
    return;
  } else if (const auto told = tell_absence(stat.name, result); !told.ok()) {
    refuse(stat.id, told.error());
    return;
  }
  if (const auto needs = store_.needs(); needs.ok()) {
    result.needs = needs.value();
  } else {
    refuse(stat.id, needs.error());
    return;
  }
  outbox_.push_back(std::move(result));
}

// Of a file that is not there. In this order: what is in doubt no more is recorded.
Result<void> Receiver::tell_absence(const WalName& name, StatResult& result) {
  if (!index_.scanned()) {
    index_.refresh([](const Result<void>&) {});  // the next answer knows more
  }
  if (index_.in_doubt(name)) {
    result.presence = Presence::kVanished;
    return {};
  }
  TRY_ASSIGN(const ArchiveStore::Absence absence, store_.absence(name));
  switch (absence) {
    case ArchiveStore::Absence::kExpired: {
      result.presence = Presence::kExpired;
      // Between the floor and what the archive was made complete from it may be missing without
      // ever having expired here: no reason for others to let go of their copies.
      TRY_ASSIGN(const SegmentPosition floor, store_.floor());
      result.reconciled = result.reconciled && name.is_below(floor);
      break;
    }
    case ArchiveStore::Absence::kVanished:
      result.presence = Presence::kVanished;
      break;
    case ArchiveStore::Absence::kNeverHere:
      result.presence = Presence::kAbsent;
      break;
  }
  return {};
}

// kNotFound is evidence of absence, on which a recovery may end (G5), so it must not come from an
// archive that is no longer there: a file system that was unmounted leaves an empty directory, or
// none.
Result<ArchiveFile> Receiver::open(const WalName& name) const {
  Result<ArchiveFile> present = store_.open(name);
  if (present.ok() || present.error().code != Errc::kNotFound) {
    return present;
  }
  const Result<std::uint64_t> readable = store_.free_bytes();
  if (readable.ok() && (!mine_.reconciled || store_.reconciled())) {
    return present;
  }
  return Error{Errc::kIo,
               readable.ok() ? "the archive '" + store_.directory() + "' is not what it was"
                             : readable.error().message,
               "check on '" + mine_.node + "' that the archive's file system is mounted"};
}

// Answered when the index holds all that the archive held when it was asked: perhaps after a scan.
void Receiver::on_compare(CompareRanges asked) {
  if (!take_new_id(asked.id)) {
    return;
  }
  if (comparing_.size() >= kOpenComparesMax) {
    refuse(asked.id, Error{Errc::kRetry,
                           "more than " + std::to_string(kOpenComparesMax) + " open CompareRanges",
                           {}});
    return;
  }
  const std::uint64_t id = asked.id;
  const Result<ArchiveStore::Vanished> vanished = store_.vanished();
  if (!vanished.ok()) {
    refuse(id, vanished.error());
    return;
  }
  comparing_.insert(id);
  const auto query = std::make_shared<CompareQuery>(std::move(asked.query));
  index_.refresh([this, id, query, mark = vanished.value().mark](const Result<void>& outcome) {
    if (ended_) {
      return;
    }
    comparing_.erase(id);
    const Result<SegmentPosition> floor = store_.floor();
    const Result<SegmentPosition> evidence_from = store_.evidence_from();
    if (!outcome.ok() || !floor.ok() || !evidence_from.ok()) {
      refuse(id, !outcome.ok() ? outcome.error()
                 : !floor.ok() ? floor.error()
                               : evidence_from.error());
      return;
    }
    outbox_.push_back(CompareResult{id, store_.reconciled(), evidence_from.value(), mark,
                                    answer_compare(index_.index(), *query, floor.value())});
  });
}

}  // namespace pgwalship
