// Every name on disk, in both directions. <archive> is `[archive] directory`.
//     <archive>/<name>.gz                        the archive itself
//     <archive>/.pgwalship/tmp/<name>.<16 hex>   files being written
//     <archive>/.pgwalship/tmp/<name>.lock       held while the copy under a name is taken away
//     <archive>/.pgwalship/quarantine/<name>.<label>.gz   conflicts and corrupt copies; never
//                                                deleted here
//     <archive>/.pgwalship/ahead/                 segments that lie ready (wal/spool.h); derived
//     <archive>/.pgwalship/system-identifier     the cluster's, decimal
//     <archive>/.pgwalship/reconciled            once it was complete: from where on
//     <archive>/.pgwalship/vanished              other hands took files away: up to where
//     <archive>/.pgwalship/floor                 what is below it has expired
//     <archive>/.pgwalship/needs                 what this node's own server needs, from there on
//     <archive>/.pgwalship/daemon.lock           held by the one daemon that serves this archive
//     <archive>/.pgwalship/scrub                 where the scrub is; derived
//     <archive>/.pgwalship/index                 what is in the archive, derived
//     (wal/index_cache.h)
#pragma once

#include "wal/segment_name.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pgwalship {

class ArchiveLayout {
 public:
  explicit ArchiveLayout(std::string directory) : directory_(std::move(directory)) {}

  const std::string& directory() const { return directory_; }
  std::string state_directory() const { return directory_ + "/.pgwalship"; }
  std::string tmp_directory() const { return directory_ + "/.pgwalship/tmp"; }
  std::string ahead_directory() const { return directory_ + "/.pgwalship/ahead"; }
  std::string quarantine_directory() const { return directory_ + "/.pgwalship/quarantine"; }
  std::string file(const WalName& name) const { return directory_ + "/" + file_of(name); }
  std::string tmp_file(std::string_view stem, std::uint64_t unique) const;
  // Held while the file under a name is taken away; see ArchiveStore::quarantine_corrupt.
  std::string lock_file(const WalName& name) const;
  std::string quarantine_file(const WalName& name, std::string_view label) const;
  std::string system_identifier_file() const { return state_directory() + "/system-identifier"; }
  std::string scrub_file() const { return state_directory() + "/scrub"; }
  std::string reconciled_file() const { return state_directory() + "/reconciled"; }
  std::string vanished_file() const { return state_directory() + "/vanished"; }
  // Held while the former two are read and written.
  std::string vanished_lock_file() const { return tmp_directory() + "/vanished.lock"; }
  std::string floor_file() const { return state_directory() + "/floor"; }
  // Held while the floor is read and written.
  std::string floor_lock_file() const { return tmp_directory() + "/floor.lock"; }
  std::string needs_file() const { return state_directory() + "/needs"; }
  std::string daemon_lock_file() const { return state_directory() + "/daemon.lock"; }
  std::string index_file() const { return state_directory() + "/index"; }

  // A file in quarantine, by its name there; nothing for what no store put there.
  struct Quarantined {
    enum class Kind {
      kConflict,     // other content than the archive's, and nobody has decided yet
      kResolved,     // an operator decided for the other content
      kSameRecords,  // differs from the archive's only behind the last record
      kCorrupt,      // did not verify
    };
    WalName name;
    Kind kind;
    std::string digits;  // the start of its SHA-256; of a corrupt one: random
    std::string file;
  };
  static std::optional<Quarantined> quarantined_of_file(std::string_view file_name);
  static constexpr std::size_t kHashDigits = 12;
  // What stands between name and digits: "conflict".
  static std::string_view label_of(Quarantined::Kind kind);

  static std::string file_of(const WalName& name) { return name.text() + ".gz"; }
  // "000000010000000000000001.gz" gives the name; anything else nothing.
  static std::optional<WalName> name_of_file(std::string_view file_name);

 private:
  std::string directory_;
};

}  // namespace pgwalship
