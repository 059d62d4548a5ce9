#include "cmd/rescue_plan.h"

#include "cmd/never_written.h"
#include "wal/pg_wal_file.h"

#include <algorithm>
#include <optional>
#include <set>

namespace pgwalship {
namespace {

class Planner {
 public:
  Planner(FileSystem& file_system, const DataDirectory& directory, const ArchiveStore& archive,
          std::uint64_t system_id)
      : file_system_(file_system),
        directory_(directory),
        archive_(archive),
        system_id_(system_id) {}

  Result<RescuePlan> run(const std::function<void(const WalName&)>& on_read) {
    TRY_ASSIGN(const std::vector<WalName> names, directory_.wal_files());
    TRY_ASSIGN(const std::vector<ArchiveMark> marks, directory_.marks());
    present_.insert(names.begin(), names.end());
    for (const ArchiveMark& mark : marks) {
      if (mark.kind == ArchiveMark::Kind::kReady) {
        ready_.insert(mark.name);
      }
    }
    for (const WalName& name : names) {
      on_read(name);
      TRY(add(name));
    }
    for (const WalName& name : ready_) {
      if (!present_.contains(name)) {
        TRY(add_missing(name));
      }
    }
    std::sort(plan_.lost.begin(), plan_.lost.end(),
              [](const RescueLoss& a, const RescueLoss& b) { return a.name < b.name; });
    std::stable_partition(plan_.files.begin(), plan_.files.end(),
                          [](const RescueFile& file) { return file.is_ready; });
    return std::move(plan_);
  }

 private:
  Result<void> add(const WalName& name) {
    const std::string path = directory_.pg_wal() + "/" + name.text();
    if (name.kind() != WalKind::kSegment) {
      plan_.files.push_back({path, name, ready_.contains(name)});
      return {};
    }
    auto file = PgWalFile::open(
        file_system_, {.path = path, .name = name, .origin = "", .system_id = system_id_});
    const Result<void> read = file.ok() ? file.value().measure() : file.error();
    if (!read.ok()) {
      return add_unreadable(path, name, read.error());
    }
    if (file.value().is_finished()) {
      plan_.files.push_back({path, name, ready_.contains(name)});
      return {};
    }
    TRY_ASSIGN(const WalName partial, WalName::parse(name.text() + ".partial"));
    if (archive_.open(name).ok()) {
      plan_.left_out.push_back(name.text() + ": ends in the middle, and the archive has it whole");
    } else if (present_.contains(partial)) {
      plan_.left_out.push_back(name.text() + ": ends in the middle, and " + partial.text() +
                               " is there");
    } else {
      plan_.files.push_back({path, partial, ready_.contains(name)});
    }
    return {};
  }

  Result<void> add_unreadable(const std::string& path, const WalName& name, const Error& error) {
    if (error.code == Errc::kInvalid) {
      return error;
    }
    const bool is_ready = ready_.contains(name);
    if (!is_ready && error.code == Errc::kRetry) {
      return {};  // recycled for later, and not written since: nothing of this name is lost with it
    }
    if (const auto why = never_written(file_system_, archive_, path, name, system_id_)) {
      plan_.left_out.push_back(name.text() + ": " + *why);
    } else if (archive_.verify(name).ok()) {
      plan_.left_out.push_back(name.text() + ": it cannot be read, and the archive has it");
    } else {
      plan_.lost.push_back({name, error.message, is_ready});
    }
    return {};
  }

  // A machine that went down may have lost the renaming of a mark, long after its file was
  // archived.
  Result<void> add_missing(const WalName& name) {
    if (archive_.verify(name).ok()) {
      plan_.left_out.push_back(name.text() + ": it is in pg_wal no more, and the archive has it");
      return {};
    }
    TRY_ASSIGN(const ArchiveStore::Absence absence, archive_.absence(name));
    if (absence == ArchiveStore::Absence::kExpired) {
      plan_.left_out.push_back(name.text() + ": it is in pg_wal no more, and has expired");
    } else {
      plan_.lost.push_back({name, "it is missing in pg_wal, and in the archive here", true});
    }
    return {};
  }

  FileSystem& file_system_;
  const DataDirectory& directory_;
  const ArchiveStore& archive_;
  const std::uint64_t system_id_;
  std::set<WalName> present_;
  std::set<WalName> ready_;
  RescuePlan plan_;
};

}  // namespace

Result<RescuePlan> plan_rescue(FileSystem& file_system, const DataDirectory& directory,
                               const ArchiveStore& archive, std::uint64_t system_id,
                               const std::function<void(const WalName&)>& on_read) {
  return Planner(file_system, directory, archive, system_id).run(on_read);
}

}  // namespace pgwalship
