#include "base/posix_file_system.h"
#include "base/words.h"
#include "cmd/acting_user.h"
#include "cmd/adoption.h"
#include "cmd/command_line.h"
#include "cmd/config.h"
#include "cmd/emergency_exit.h"
#include "cmd/paths.h"
#include "cmd/setup_program.h"
#include "cmd/terminal.h"
#include "cmd/whole_file.h"
#include "restorer/verification.h"
#include "wal/data_directory.h"
#include "wal/digest.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <sys/stat.h>
#include <thread>
#include <tuple>
#include <unistd.h>

namespace pgwalship {
namespace {

constexpr std::string_view kWho = "pgwalship adopt";
constexpr int kImperfect = 3;
// Each reader needs up to 33 MiB, and more than so many do not get more out of a disk.
constexpr unsigned kReadersMax = 4;
constexpr std::size_t kCopyBytes = std::size_t{256} << 10;

struct AdoptCall {
  Adoption adoption;
  std::uint64_t system_id = 0;  // 0: what most of the files say
  enum class Mode { kDo, kDryRun } mode = Mode::kDo;
  enum class Write { kNew, kKeep } write = Write::kNew;
};

// Verifies a directory of files and brings the good ones into the archive.
class Adopter {
 public:
  Adopter(const AdoptCall& call, FileSystem& files)
      : call_(call), files_(files), from_(files, {.directory = call.adoption.directory}) {}

  // The number of problems.
  Result<std::size_t> run() {
    TRY_ASSIGN(const std::vector<WalName> names, from_.list());
    verify(names);
    const std::uint64_t id = call_.system_id != 0 ? call_.system_id : usual_system_id();
    for (CheckedFile& file : checked_) {
      judge(file, id);
    }
    for (const Problem& problem : verification_.problems()) {
      print_problem(problem);
    }
    print_out(counted(names.size(), "file") + " verified in '" + call_.adoption.directory + "', " +
              std::to_string(good_.size()) + " good" +
              (id == 0 ? "" : ", of system identifier " + std::to_string(id)) + "\n");
    if (call_.mode == AdoptCall::Mode::kDo) {
      TRY(place());
    }
    return problems_;
  }

 private:
  void verify(const std::vector<WalName>& names) {
    std::atomic<std::size_t> next = 0;
    std::mutex mutex;
    std::uint64_t bytes = 0;
    ProgressLine progress(clock_);
    {
      std::vector<std::jthread> readers;
      const unsigned count = std::clamp(std::thread::hardware_concurrency(), 1U, kReadersMax);
      for (unsigned i = 0; i < count; ++i) {
        readers.emplace_back([&] {
          for (std::size_t at = next++; at < names.size(); at = next++) {
            CheckedFile file = check_file(from_, names[at], 0);
            const std::lock_guard lock(mutex);
            checked_.push_back(std::move(file));
            bytes += checked_.back().file_bytes;
            progress.show({.what = "verified",
                           .done = checked_.size(),
                           .all = names.size(),
                           .bytes = bytes,
                           .now = checked_.back().name.text()});
          }
        });
      }
    }
    progress.clear();
    std::sort(checked_.begin(), checked_.end(),
              [](const CheckedFile& a, const CheckedFile& b) { return a.name < b.name; });
  }

  std::uint64_t usual_system_id() const {
    std::map<std::uint64_t, std::size_t> files_of;
    for (const CheckedFile& file : checked_) {
      files_of[file.system_id] += file.system_id != 0 ? 1 : 0;
    }
    const auto most =
        std::max_element(files_of.begin(), files_of.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == files_of.end() || most->second == 0 ? 0 : most->first;
  }

  void judge(CheckedFile& file, std::uint64_t system_id) {
    if (file.system_id != 0 && file.system_id != system_id) {
      file.problems.push_back(
          {Problem::Kind::kForeign,
           file.name.text(),
           "it is of the cluster with system identifier " + std::to_string(file.system_id),
           "move it away by hand: it belongs to another archive",
           {}});
    }
    verification_.add(file);
    for (Problem problem : file.problems) {
      if (problem.kind == Problem::Kind::kCorrupt) {
        problem.hint = "a peer may have a good copy: `pgwalship verify --repair` asks for it";
      }
      print_problem(problem);
    }
    if (file.problems.empty()) {
      good_.push_back(file.name);
    }
  }

  void print_problem(const Problem& problem) {
    ++problems_;
    print_out(problem.name + ": " + problem.what +
              (problem.hint.empty() ? "" : " (HINT: " + problem.hint + ")") + "\n");
  }

  Result<void> place() {
    const std::string& into = call_.adoption.archive;
    if (into != call_.adoption.directory) {
      TRY(files_.make_directories(into));
    }
    std::random_device entropy;
    ArchiveStore store(files_, {.directory = into, .seed = std::uint64_t{entropy()} << 32U | 1U});
    TRY(store.prepare());
    if (into == call_.adoption.directory) {
      print_out("they stay where they are\n");
      return {};
    }
    std::size_t brought = 0;
    std::size_t done = 0;
    ProgressLine progress(clock_);
    for (const WalName& name : good_) {
      progress.show({.what = "copied", .done = done++, .all = good_.size(), .now = name.text()});
      const Result<bool> copied = bring(store, name);
      if (copied.ok()) {
        brought += copied.value() ? 1 : 0;
        continue;
      }
      if (copied.error().code == Errc::kNoSpace || copied.error().code == Errc::kIo) {
        return copied.error().within(name.text());
      }
      progress.clear();
      print_problem(
          {Problem::Kind::kForeign, name.text(), copied.error().message, copied.error().hint, {}});
    }
    progress.clear();
    print_out(std::to_string(brought) + " copied into '" + into + "', " +
              std::to_string(good_.size() - brought) + " were there\n");
    return {};
  }

  // Copied, and not linked: the script writes into the files that it has made, and a link would be
  // the same file. False when it is there already.
  Result<bool> bring(ArchiveStore& store, const WalName& name) {
    TRY_ASSIGN(const ArchiveFile source, from_.open(name));
    if (const auto present = store.open(name); present.ok()) {
      TRY_ASSIGN(const bool same, same_bytes(*source.file, *present.value().file));
      if (same) {
        return false;
      }
    }
    TRY_ASSIGN(const auto staged, store.stage(name));
    Bytes piece(kCopyBytes);
    std::uint32_t crc = 0;
    for (std::uint64_t offset = 0; offset < source.file_bytes;) {
      TRY_ASSIGN(const std::size_t got, source.file->read_at(offset, piece));
      if (got == 0) {
        return Error{Errc::kRetry, "it became shorter while it was read: does the script run?",
                     "run adopt again"};
      }
      const ByteView part = ByteView(piece).first(got);
      crc = crc32(crc, part);
      TRY(staged->append(part));
      offset += got;
    }
    TRY_ASSIGN(const PutOutcome outcome,
               store.commit(*staged, {staged->size(), crc, ArchiveStore::Content::kVerify}));
    return outcome == PutOutcome::kStored;
  }

  const AdoptCall& call_;
  FileSystem& files_;
  const ArchiveStore from_;
  SystemClock clock_;
  std::vector<CheckedFile> checked_;
  Verification verification_;
  std::vector<WalName> good_;
  std::size_t problems_ = 0;
};

Result<std::string> option(const Arguments& given, const std::string& name) {
  const auto found = given.values.find(name);
  return found == given.values.end() ? Result<std::string>(std::string())
                                     : absolute_path(found->second);
}

// What the words, the script and a configuration that exists say together.
Result<AdoptCall> plan(const SetupInvocation& setup, FileSystem& files) {
  TRY_ASSIGN(const Arguments given,
             parse_arguments(
                 {.optional_values = {"script", "directory", "into", "data-directory", "output"},
                  .flags = {"dry-run"}},
                 setup.invocation.arguments));
  AdoptCall call;
  Adoption& adoption = call.adoption;
  call.mode = given.flags.contains("dry-run") ? AdoptCall::Mode::kDryRun : AdoptCall::Mode::kDo;
  adoption.default_config = std::string(kDefaultConfigPath);
  TRY_ASSIGN(adoption.script_path, option(given, "script"));
  if (!adoption.script_path.empty()) {
    TRY_ASSIGN(const std::string text, read_whole_file(files, adoption.script_path));
    adoption.script = read_tutorial_script(text);
  }
  TRY_ASSIGN(adoption.directory, option(given, "directory"));
  if (adoption.directory.empty()) {
    adoption.directory = adoption.script.archive_directory;
  }
  if (adoption.directory.empty()) {
    return Error{Errc::kInvalid,
                 adoption.script_path.empty()
                     ? "neither a script nor a directory is named"
                     : "'" + adoption.script_path + "' does not say where it archives",
                 "name the directory with the .gz files: --directory DIR"};
  }
  TRY_ASSIGN(adoption.data_directory, option(given, "data-directory"));
  TRY_ASSIGN(adoption.config_path, option(given, "output"));
  if (adoption.config_path.empty()) {
    TRY_ASSIGN(adoption.config_path, absolute_path(find_config_path(setup.invocation.config_path)));
  }
  TRY_ASSIGN(adoption.archive, option(given, "into"));
  if (files.stat(adoption.config_path).ok()) {
    call.write = AdoptCall::Write::kKeep;
    const Result<Config> present = load_config(adoption.config_path);
    if (adoption.archive.empty() && present.ok()) {
      adoption.archive = present.value().archive.directory;
    }
  }
  if (adoption.archive.empty()) {
    adoption.archive = adoption.directory;
  }
  return call;
}

Result<void> write_config(const AdoptCall& call, FileSystem& files) {
  const Adoption& adoption = call.adoption;
  const std::string text = adopted_config(adoption);
  if (call.mode == AdoptCall::Mode::kDryRun) {
    print_out("\n" + adoption.config_path + " would be:\n\n" + text + "\n");
    return {};
  }
  if (call.write == AdoptCall::Write::kKeep) {
    print_out("'" + adoption.config_path +
              "' exists and stays as it is (--dry-run prints what "
              "would be written)\n");
  } else {
    constexpr unsigned kForAll = 0644;  // no secret is in it
    const std::string directory = directory_of(adoption.config_path);
    if (!files.stat(directory).ok()) {
      TRY(files.make_directories(directory));
      std::ignore = ::chmod(directory.c_str(), 0755);  // the daemon is another user than root
    }
    TRY(write_new_file(files, {.path = adoption.config_path, .text = text, .mode = kForAll}));
    print_out("wrote '" + adoption.config_path + "'\n");
  }
  if (const Result<Config> loaded = load_config(adoption.config_path); !loaded.ok()) {
    print_note("it needs a look:\n" + loaded.error().message + "\n");
  }
  return {};
}

Result<std::size_t> adopt(AdoptCall call, FileSystem& files) {
  Adoption& adoption = call.adoption;
  for (const std::string& remark : adoption.script.remarks) {
    print_note("'" + adoption.script_path + "' " + remark + "\n");
  }
  TRY_ASSIGN(const ActingUser owner, become_owner_of(adoption.directory));
  adoption.home = owner.home;
  if (!adoption.data_directory.empty()) {
    TRY_ASSIGN(call.system_id, DataDirectory(files, adoption.data_directory).system_id());
  }
  TRY_ASSIGN(const std::size_t problems, Adopter(call, files).run());
  root_again();
  TRY(write_config(call, files));
  print_out("\n" + next_steps(adoption));
  return problems;
}

}  // namespace

int run_adopt(const SetupInvocation& setup) {
  PosixFileSystem files;
  Result<AdoptCall> call = plan(setup, files);
  if (!call.ok()) {
    print_reason(std::string(kWho), call.error());
    return kSetupUsage;
  }
  const Result<std::size_t> problems = adopt(std::move(call).value(), files);
  if (!problems.ok()) {
    print_reason(std::string(kWho), problems.error());
    return kSetupFailed;
  }
  return problems.value() == 0 ? kSetupDone : kImperfect;
}

}  // namespace pgwalship
