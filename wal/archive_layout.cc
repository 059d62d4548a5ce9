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

std::string_view ArchiveLayout::label_of(Quarantined::Kind kind) {
  switch (kind) {
    case Quarantined::Kind::kConflict:
      return "conflict";
    case Quarantined::Kind::kResolved:
      return "resolved";
    case Quarantined::Kind::kSameRecords:
      return "same-records";
    case Quarantined::Kind::kCorrupt:
      return "corrupt";
  }
  return "";
}

std::optional<ArchiveLayout::Quarantined> ArchiveLayout::quarantined_of_file(
    std::string_view file_name) {
  using Kind = Quarantined::Kind;
  std::string_view stem = file_name;
  if (!stem.ends_with(kSuffix)) {
    return std::nullopt;
  }
  stem.remove_suffix(kSuffix.size());
  const std::size_t dot = stem.rfind('.');
  const std::size_t dash = stem.rfind('-');
  if (dot == std::string_view::npos || dash == std::string_view::npos || dash < dot) {
    return std::nullopt;
  }
  Result<WalName> name = WalName::parse(stem.substr(0, dot));
  const std::string_view label = stem.substr(dot + 1, dash - dot - 1);
  for (const Kind kind : {Kind::kConflict, Kind::kResolved, Kind::kSameRecords, Kind::kCorrupt}) {
    if (name.ok() && label == label_of(kind)) {
      return Quarantined{std::move(name).value(), kind, std::string(stem.substr(dash + 1)),
                         std::string(file_name)};
    }
  }
  return std::nullopt;
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
