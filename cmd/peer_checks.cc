#include "cmd/peer_checks.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

namespace pgwalship {
namespace {

using std::chrono::microseconds;

// Certificates, logs and a person's "when" get confused above it; nothing in pgwalship depends on
// it.
constexpr microseconds kClockMax = std::chrono::seconds(2);

std::string milliseconds_text(microseconds time) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f ms", static_cast<double>(time.count()) / 1000);
  return text.data();
}

std::string seconds_text(microseconds time) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f s",
                std::abs(static_cast<double>(time.count())) / 1e6);
  return text.data();
}

class PeerLines {
 public:
  PeerLines(const Config& config, const Node& peer, const PeerProbe& probe, std::uint64_t system_id)
      : config_(config), peer_(peer), probe_(probe), system_id_(system_id), lines_(peer.name) {}

  std::vector<CheckLine> run() {
    add_steps();
    if (probe_.hello) {
      add_greeting(*probe_.hello);
    }
    if (probe_.machine) {
      add_machine(*probe_.machine);
      add_storing();
    } else if (probe_.hello) {
      lines_.fail("machine", probe_.error ? *probe_.error : Error{Errc::kIo, "no answer", ""});
    }
    return lines_.take();
  }

 private:
  // How far it came: OK up to there, then what stopped it, then nothing.
  void add_steps() {
    struct Step {
      const char* what;
      bool passed;
      std::string text;
    };
    const auto has = [&](SshStep step) { return probe_.reached && *probe_.reached >= step; };
    const std::array steps{
        Step{"name", has(SshStep::kResolved), peer_.address},
        Step{"connection", has(SshStep::kConnected), "port " + std::to_string(peer_.port)},
        Step{"host key", has(SshStep::kHostKeyAccepted), "the pinned one"},
        Step{"login", has(SshStep::kLoggedIn), "as " + config_.ssh.user},
        Step{"receiver", probe_.hello.has_value(),
             "forced command, lets '" + config_.node_name + "' in"},
    };
    bool stopped = !has(SshStep::kPrepared);
    if (stopped) {
      add_failure("keys here");
    }
    for (const Step& step : steps) {
      if (step.passed) {
        lines_.ok(step.what, step.text);
      } else if (std::exchange(stopped, true)) {
        lines_.skip(step.what, "not tested");
      } else {
        add_failure(step.what);
      }
    }
  }

  void add_failure(const char* what) {
    if (probe_.runs_any_command) {
      lines_.fail(what, "this node's key is not tied to a command: it opens a shell there",
                  "in authorized_keys on " + peer_.name +
                      " replace the line of this key with what `pgwalship keys show` prints here");
    } else {
      lines_.fail(what, probe_.error ? *probe_.error : Error{Errc::kIo, "no answer", ""});
    }
  }

  void add_greeting(const Hello& theirs) {
    const std::string ours = "pgwalship " PGWALSHIP_VERSION;
    if (theirs.software == ours) {
      lines_.ok("version", theirs.software);
    } else {
      lines_.warn("version", theirs.software + " there, " + ours + " here",
                  "neighbouring versions work together; upgrade the older one soon");
    }
    if (theirs.system_id == 0 || system_id_ == 0) {
      lines_.ok("system identifier",
                theirs.system_id == 0 ? "none yet: its archive is new" : "none here yet");
    } else if (theirs.system_id == system_id_) {
      lines_.ok("system identifier", std::to_string(system_id_));
    } else {
      lines_.fail(
          "system identifier",
          std::to_string(theirs.system_id) + " there, " + std::to_string(system_id_) + " here",
          "one of the archives is another cluster's, or is older than the last initdb: "
          "give this cluster a directory of its own ([archive] directory)");
    }
    if (theirs.config_digest == config_digest(config_)) {
      lines_.ok("configuration", "the same nodes, quorum and on-quorum-loss");
    } else {
      lines_.warn("configuration", "nodes, sites, quorum or on-quorum-loss differ there",
                  "copy the same [cluster] section to every node; only node-name and address= may "
                  "differ");
    }
  }

  void add_machine(const MachineFacts& facts) {
    const std::string minimum = readable_size(facts.minimum_free_bytes);
    if (facts.free_bytes < facts.minimum_free_bytes) {
      lines_.fail("free space",
                  readable_size(facts.free_bytes) + ", below its minimum-free of " + minimum,
                  "it refuses every segment: make room there, or set [retention]");
    } else {
      lines_.ok("free space", readable_size(facts.free_bytes));
    }
    const microseconds ahead = probe_.clock_ahead;
    if (ahead > kClockMax || ahead < -kClockMax) {
      lines_.warn("clock",
                  seconds_text(ahead) + (ahead.count() > 0 ? " ahead of" : " behind") + " this one",
                  "run a time service such as chrony on all nodes: recovery to a time, and days of "
                  "[retention], go by clocks");
    } else {
      lines_.ok("clock", "within " + milliseconds_text(microseconds(std::abs(ahead.count()))));
    }
    lines_.ok("round trip", milliseconds_text(probe_.round_trip) + ", greeting after " +
                                milliseconds_text(probe_.connect_time));
  }

  // Lack of space has a line of its own.
  void add_storing() {
    if (probe_.stores) {
      lines_.ok("archive", "stored a probe durably, and read it back");
    } else if (!probe_.error || probe_.error->code != Errc::kNoSpace) {
      lines_.fail("archive", probe_.error
                                 ? *probe_.error
                                 : Error{Errc::kCorrupt, "gave other bytes back than it was sent",
                                         "look at the disk's health there"});
    }
  }

  const Config& config_;
  const Node& peer_;
  const PeerProbe& probe_;
  const std::uint64_t system_id_;
  CheckLines lines_;
};

}  // namespace

std::vector<CheckLine> peer_checks(const Config& config, const Node& peer, const PeerProbe& probe,
                                   std::uint64_t system_id) {
  return PeerLines(config, peer, probe, system_id).run();
}

}  // namespace pgwalship
