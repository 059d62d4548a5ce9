// Where the scrub of an archive is: <archive>/.pgwalship/scrub, a few lines of text. Derived, and
// not durable: without it the next pass begins anew. One process writes it.
#pragma once

#include "base/clock.h"
#include "base/file_system.h"
#include "wal/archive_layout.h"

#include <cstdint>
#include <optional>
#include <string>

namespace pgwalship {

struct ScrubMark {
  std::optional<WalName> position;    // the last file that was read in this pass
  std::uint64_t read = 0;             // files in this pass
  std::uint64_t bad = 0;              // of these
  std::uint64_t repaired = 0;         // of the bad ones
  std::optional<WallTime> last_pass;  // when the last full pass ended; whole seconds
  std::uint64_t last_bad = 0;         // in it
  std::uint64_t last_repaired = 0;

  friend bool operator==(const ScrubMark&, const ScrubMark&) = default;
};

std::string to_text(const ScrubMark& mark);
// Lines that are not understood are ignored.
ScrubMark parse_scrub_mark(std::string_view text);

class ScrubBook {
 public:
  ScrubBook(FileSystem& file_system, const std::string& archive_directory)
      : file_system_(file_system), layout_(archive_directory) {}

  // An empty mark when there is none, or it cannot be read.
  ScrubMark read() const;
  Result<void> write(const ScrubMark& mark);

 private:
  FileSystem& file_system_;
  const ArchiveLayout layout_;
};

}  // namespace pgwalship
