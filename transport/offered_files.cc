#include "transport/offered_files.h"

#include "wal/pg_wal_file.h"

#include <algorithm>
#include <optional>

namespace pgwalship {

OfferedFiles::OfferedFiles(FileSystem& file_system, ArchiveStore& store, Options options)
    : file_system_(file_system),
      store_(store),
      options_(std::move(options)),
      directory_(file_system, options_.data_directory) {}

bool OfferedFiles::add(const Offer& offer) {
  if (offer.name.kind() != WalKind::kSegment || open_.size() >= kOpenOffersMax) {
    return false;
  }
  open_.push_back({offer});
  next_look_ = TimePoint{};
  return true;
}

bool OfferedFiles::contains(std::uint64_t id) const {
  return std::any_of(open_.begin(), open_.end(),
                     [&](const Open& open) { return open.offer.id == id; });
}

std::vector<Message> OfferedFiles::look(TimePoint now) {
  std::vector<Message> answers;
  bool copied = false;
  std::erase_if(open_, [&](Open& open) {
    const Offer& offer = open.offer;
    open.deadline = std::min(open.deadline, now + kOfferPatience);
    std::optional<Result<PutOutcome>> outcome;
    if (!copied && store_.open(offer.name).ok()) {  // by another process, since it was offered
      copied = true;
      const Result<void> confirmed = store_.confirm(offer.name, offer.facts.sha256);
      outcome = confirmed.ok() ? Result(PutOutcome::kIdentical) : confirmed.error();
    } else if (!copied && is_marked(offer.name)) {
      copied = true;
      outcome = copy(offer);
    } else if (now < open.deadline || copied) {
      return false;
    }
    if (outcome.has_value() && outcome->ok()) {
      answers.emplace_back(Done{offer.id, outcome->value(), {}, {}});
    } else {
      answers.emplace_back(OfferDeclined{offer.id});
    }
    return true;
  });
  next_look_ = copied ? now : now + kOfferLookInterval;
  return answers;
}

bool OfferedFiles::is_marked(const WalName& name) const {
  const std::string mark = directory_.archive_status() + "/" + name.text();
  return file_system_.stat(mark + ".done").ok() || file_system_.stat(mark + ".ready").ok();
}

// The facts of the copy are those of the offer, the node that pushed it included: it is the file
// that would have been sent.
Result<PutOutcome> OfferedFiles::copy(const Offer& offer) {
  TRY_ASSIGN(PgWalFile file,
             PgWalFile::open(file_system_, {.path = directory_.pg_wal() + "/" + offer.name.text(),
                                            .name = offer.name,
                                            .origin = offer.facts.origin,
                                            .system_id = offer.facts.system_id}));
  TRY(file.measure());
  if (file.facts() != offer.facts) {
    return Error{Errc::kConflict, "pg_wal holds other bytes under this name", ""};
  }
  return archive_pg_wal_file(store_, file, options_.compression_level);
}

}  // namespace pgwalship
