#include "wal/archive_scrub.h"

#include <array>
#include <charconv>
#include <tuple>

namespace pgwalship {
namespace {

constexpr std::size_t kMarkBytesMax = 1024;

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

void set(ScrubMark& mark, std::string_view key, std::string_view value) {
  if (key == "position") {
    if (Result<WalName> name = WalName::parse(value); name.ok()) {
      mark.position = std::move(name).value();
    }
    return;
  }
  const std::optional<std::uint64_t> count = number(value);
  if (!count) {
    return;
  }
  // A time beyond this cannot be held in nanoseconds, and was not written by us.
  if (key == "last-pass" && *count < (std::uint64_t{1} << 33U)) {
    mark.last_pass = WallTime(std::chrono::seconds(*count));
  }
  for (const auto& [word, member] :
       {std::pair{"read", &ScrubMark::read}, std::pair{"bad", &ScrubMark::bad},
        std::pair{"repaired", &ScrubMark::repaired}, std::pair{"last-bad", &ScrubMark::last_bad},
        std::pair{"last-repaired", &ScrubMark::last_repaired}}) {
    if (key == word) {
      mark.*member = *count;
    }
  }
}

}  // namespace

std::string to_text(const ScrubMark& mark) {
  std::string text;
  const auto add = [&](const char* key, const std::string& value) {
    text += std::string(key) + " " + value + "\n";
  };
  if (mark.position) {
    add("position", mark.position->text());
  }
  add("read", std::to_string(mark.read));
  add("bad", std::to_string(mark.bad));
  add("repaired", std::to_string(mark.repaired));
  if (mark.last_pass) {
    const auto since = std::chrono::floor<std::chrono::seconds>(mark.last_pass->time_since_epoch());
    add("last-pass", std::to_string(since.count()));
    add("last-bad", std::to_string(mark.last_bad));
    add("last-repaired", std::to_string(mark.last_repaired));
  }
  return text;
}

ScrubMark parse_scrub_mark(std::string_view text) {
  ScrubMark mark;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (const std::size_t blank = line.find(' '); blank != std::string_view::npos) {
      set(mark, line.substr(0, blank), line.substr(blank + 1));
    }
  }
  return mark;
}

ScrubMark ScrubBook::read() const {
  const Result<std::unique_ptr<File>> file = file_system_.open(layout_.scrub_file());
  if (!file.ok()) {
    return {};
  }
  std::array<std::byte, kMarkBytesMax> content;
  const Result<std::size_t> size = file.value()->read_at(0, content);
  return size.ok() ? parse_scrub_mark(as_text(ByteView(content).first(size.value()))) : ScrubMark{};
}

Result<void> ScrubBook::write(const ScrubMark& mark) {
  const std::string path = layout_.tmp_directory() + "/scrub.new";
  std::ignore = file_system_.remove_abandoned(path);  // a killed daemon's
  TRY_ASSIGN(const std::unique_ptr<File> file, file_system_.create(path));
  TRY(file->write_at(0, as_bytes(to_text(mark))));
  return file_system_.rename(path, layout_.scrub_file());
}

}  // namespace pgwalship
