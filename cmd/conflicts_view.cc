#include "cmd/conflicts_view.h"

#include "base/words.h"

#include <nlohmann/json.hpp>

namespace pgwalship {
namespace {

using Json = nlohmann::ordered_json;
using Kind = ArchiveLayout::Quarantined::Kind;

DifferenceWords words_of(const ConflictEntry& entry) {
  if (!entry.facts) {
    return DifferenceWords{"cannot be compared: " + entry.failure, "", ""};
  }
  return describe(entry.refused.name, entry.facts->difference, entry.facts->kept,
                  entry.facts->refused);
}

std::string state_text(Kind kind) {
  switch (kind) {
    case Kind::kConflict:
      return "open";
    case Kind::kResolved:
      return "decided against";
    case Kind::kSameRecords:
      return "same records, nothing to decide";
    case Kind::kCorrupt:
      return "corrupt";
  }
  return "";
}

Json content_json(const FileFacts& facts, std::uint64_t file_bytes) {
  return Json{{"sha256", facts.sha256.hex()},
              {"bytes", facts.raw_bytes},
              {"file_bytes", file_bytes},
              {"origin", facts.origin}};
}

}  // namespace

std::string content_text(const FileFacts& facts) {
  return "SHA-256 " + facts.sha256.hex() + ", " + std::to_string(facts.raw_bytes) +
         " bytes, from " + (facts.origin.empty() ? "an unknown node" : facts.origin);
}

std::string render_conflicts(const std::vector<ConflictEntry>& entries,
                             const std::string& directory) {
  if (entries.empty()) {
    return "no conflicts in '" + directory + "'\n";
  }
  std::string text;
  for (const ConflictEntry& entry : entries) {
    text += entry.refused.name.text() + "  " + entry.refused.digits + "  " +
            words_of(entry).verdict + "\n";
  }
  return text + counted(entries.size(), "conflict") + " in '" + directory +
         "'; `pgwalship conflicts show NAME` says what to do\n";
}

std::string conflicts_json(const std::vector<ConflictEntry>& entries) {
  Json list = Json::array();
  for (const ConflictEntry& entry : entries) {
    const DifferenceWords words = words_of(entry);
    Json one{{"name", entry.refused.name.text()},
             {"file", entry.refused.file},
             {"verdict", words.verdict},
             {"cause", words.cause},
             {"next", words.next}};
    if (entry.facts) {
      const Difference& difference = entry.facts->difference;
      one["kind"] = to_word(difference.kind);
      one["first_byte"] = difference.first_byte;
      if (difference.lsn != 0) {
        one["lsn"] = lsn_text(difference.lsn);
      }
      one["archive"] = content_json(entry.facts->kept, entry.facts->kept_file_bytes);
      one["refused"] = content_json(entry.facts->refused, entry.facts->refused_file_bytes);
    }
    list.push_back(std::move(one));
  }
  return Json{{"version", 1}, {"conflicts", std::move(list)}}.dump(2, ' ', false,
                                                                   Json::error_handler_t::replace) +
         "\n";
}

std::string render_conflict(const std::vector<ConflictEntry>& entries,
                            const std::string& directory) {
  std::string text = entries.front().refused.name.text() + " in '" + directory + "'\n";
  for (const ConflictEntry& entry : entries) {
    if (entry.facts) {
      text += "  archive:     " + content_text(entry.facts->kept) + ", " +
              std::to_string(entry.facts->kept_file_bytes) + " compressed\n";
      break;
    }
  }
  for (const ConflictEntry& entry : entries) {
    const DifferenceWords words = words_of(entry);
    text += "  quarantine:  ";
    text += entry.facts ? content_text(entry.facts->refused) + ", " +
                              std::to_string(entry.facts->refused_file_bytes) + " compressed"
                        : entry.refused.digits;
    text += " (" + state_text(entry.refused.kind) + ")\n    file:      " + entry.refused.file +
            "\n    verdict:   " + words.verdict + "\n";
    text += words.cause.empty() ? "" : "    probably:  " + words.cause + "\n";
    if (entry.refused.kind == Kind::kConflict && !words.next.empty()) {
      text += "    next step: " + words.next + "\n";
    }
  }
  return text;
}

}  // namespace pgwalship
