#include "wal/archive_layout.h"

#include <cinttypes>
#include <cstdio>

namespace pgwalship {
namespace {

constexpr std::string_view kSuffix = ".gz";

}  // namespace

std::string ArchiveLayout::tmp_file(std::string_view stem, std::uint64_t unique) const {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016" PRIx64, unique);
  return tmp_directory() + "/" + std::string(stem) + "." + digits;
}

std::string ArchiveLayout::lock_file(const WalName& name) const {
  return tmp_directory() + "/" + name.text() + ".lock";
}

std::string ArchiveLayout::quarantine_file(const WalName& name, std::string_view label) const {
  return quarantine_directory() + "/" + name.text() + "." + std::string(label) +
         std::string(kSuffix);
}

std::optional<WalName> ArchiveLayout::name_of_file(std::string_view file_name) {
  if (!file_name.ends_with(kSuffix)) {
    return std::nullopt;
  }
  file_name.remove_suffix(kSuffix.size());
  Result<WalName> name = WalName::parse(file_name);
  if (!name.ok()) {
    return std::nullopt;
  }
  return std::move(name).value();
}

}  // namespace pgwalship
