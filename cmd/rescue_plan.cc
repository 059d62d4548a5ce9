#include "cmd/rescue_plan.h"

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
    if (!file.ok()) {
      // Recycled for later, and not written since: nothing of this name is lost with it.
      return file.error().code == Errc::kRetry ? Result<void>() : file.error();
    }
    TRY(file.value().measure());
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
