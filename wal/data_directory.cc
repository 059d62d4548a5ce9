#include "wal/data_directory.h"

#include "base/bytes.h"
#include "base/process.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace pgwalship {
namespace {

constexpr std::string_view kReadySuffix = ".ready";
constexpr std::string_view kDoneSuffix = ".done";

std::optional<ArchiveMark> parse_mark(std::string_view file) {
  const bool is_ready = file.ends_with(kReadySuffix);
  if (!is_ready && !file.ends_with(kDoneSuffix)) {
    return std::nullopt;
  }
  file.remove_suffix(is_ready ? kReadySuffix.size() : kDoneSuffix.size());
  auto name = WalName::parse(file);
  if (!name.ok()) {
    return std::nullopt;
  }
  return ArchiveMark{std::move(name).value(),
                     is_ready ? ArchiveMark::Kind::kReady : ArchiveMark::Kind::kDone};
}

}  // namespace

bool DataDirectory::is_in_recovery() const {
  return file_system_.stat(path_ + "/standby.signal").ok() ||
         file_system_.stat(path_ + "/recovery.signal").ok();
}

Result<std::vector<ArchiveMark>> DataDirectory::marks() const {
  TRY_ASSIGN(const std::vector<std::string> files, file_system_.list(archive_status()));
  std::vector<ArchiveMark> marks;
  marks.reserve(files.size());
  for (const std::string& file : files) {
    if (auto mark = parse_mark(file)) {
      marks.push_back(std::move(*mark));
    }
  }
  std::sort(marks.begin(), marks.end(),
            [](const ArchiveMark& a, const ArchiveMark& b) { return a.name < b.name; });
  return marks;
}

Result<std::vector<WalName>> DataDirectory::wal_files() const {
  TRY_ASSIGN(const std::vector<std::string> files, file_system_.list(pg_wal()));
  std::vector<WalName> names;
  for (const std::string& file : files) {
    if (auto name = WalName::parse(file); name.ok()) {
      names.push_back(std::move(name).value());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::uint64_t> DataDirectory::system_id() const {
  const std::string path = path_ + "/global/pg_control";
  TRY_ASSIGN(const auto file, file_system_.open(path));
  std::array<std::byte, sizeof(std::uint64_t)> start{};
  TRY_ASSIGN(const std::size_t got, file->read_at(0, start));
  ByteReader reader(ByteView(start).first(got));
  const std::uint64_t id = reader.u64();
  if (!reader.ok() || id == 0) {
    return Error{Errc::kInvalid, "'" + path + "' is no control file of PostgreSQL", ""};
  }
  return id;
}

std::optional<int> DataDirectory::running_server() const {
  const auto file = file_system_.open(path_ + "/postmaster.pid");
  if (!file.ok()) {
    return std::nullopt;
  }
  std::array<std::byte, 16> start{};
  const auto got = file.value()->read_at(0, start);
  if (!got.ok()) {
    return std::nullopt;
  }
  const auto* text = reinterpret_cast<const char*>(start.data());
  int pid = 0;
  const auto [stop, code] = std::from_chars(text, text + got.value(), pid);
  if (code != std::errc() || pid <= 0 || !runs_in(pid, path_)) {
    return std::nullopt;
  }
  return pid;
}

}  // namespace pgwalship
