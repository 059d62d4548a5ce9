#include "wal/staged_file.h"

#include "wal/digest.h"
#include "wal/space_hint.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace pgwalship {

StagedFile::StagedFile(FileSystem& file_system, WalName name, std::string path,
                       std::unique_ptr<File> file)
    : file_system_(file_system),
      name_(std::move(name)),
      path_(std::move(path)),
      file_(std::move(file)) {}

StagedFile::~StagedFile() {
  discard();
}

void StagedFile::discard() {
  if (!std::exchange(discarded_, true)) {
    std::ignore = file_system_.remove(path_);  // prepare() removes what stays
  }
}

void StagedFile::verify_as_it_comes(RawSink raw) {
  CHECK(size_ == 0);
  check_.emplace(name_);
  raw_ = std::move(raw);
}

void StagedFile::verify_in_commit() {
  check_.reset();
  raw_ = nullptr;
  content_ = {};
}

std::optional<FileFacts> StagedFile::claimed() const {
  return check_ ? check_->claimed() : std::nullopt;
}

void StagedFile::check_content(ByteView data) {
  const auto hand_on = [this](ByteView piece) -> Result<void> {
    TRY_ASSIGN(const ByteView raw, check_->write(piece));
    return raw.empty() ? Result<void>() : raw_(raw);
  };
  while (content_.ok() && !data.empty()) {
    const std::size_t size = std::min(data.size(), ArchiveFileCheck::kPieceBytesMax);
    content_ = hand_on(data.first(size));
    data = data.subspan(size);
  }
}

Result<void> StagedFile::finish_content() {
  TRY(content_);
  TRY_ASSIGN(const ByteView raw, check_->finish());
  return raw.empty() ? Result<void>() : raw_(raw);
}

// (2) of the durable order.
Result<void> StagedFile::append(ByteView data) {
  if (const auto written = file_->write_at(size_, data); !written.ok()) {
    return with_hint(written.error());
  }
  size_ += data.size();
  crc32_ = crc32(crc32_, data);
  if (check_) {
    check_content(data);
  }
  return {};
}

Result<void> StagedFile::replace_start(ByteView before, ByteView after) {
  CHECK(!check_ && before.size() == after.size() && after.size() <= size_);
  if (const auto written = file_->write_at(0, after); !written.ok()) {
    return with_hint(written.error());
  }
  crc32_ = crc32_with_start(crc32_, before, after, size_ - after.size());
  return {};
}

}  // namespace pgwalship
