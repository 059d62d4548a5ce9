#include "base/posix_file_system.h"
#include "cmd/acting_user.h"
#include "cmd/authorized_line.h"
#include "cmd/command_line.h"
#include "cmd/emergency_exit.h"
#include "cmd/known_hosts.h"
#include "cmd/paths.h"
#include "cmd/setup_program.h"
#include "cmd/whole_file.h"
#include "transport/ssh_keys.h"

#include <algorithm>
#include <iostream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace pgwalship {
namespace {

constexpr std::string_view kWho = "pgwalship keys";

// "ED25519 SHA256:...", as ssh-keygen -l prints it.
std::string shown(const SshPublicKey& key) {
  return key.type + " " + key.fingerprint;
}

std::string peer_names(const Config& config) {
  std::string names;
  for (NodeId id = 0; id < config.nodes.size(); ++id) {
    if (id != config.nodes.self) {
      names += (names.empty() ? "" : ", ") + config.nodes.at(id).name;
    }
  }
  return names;
}

class Keys {
 public:
  struct Context {
    Config config;
    ActingUser user;
    std::string client;
    std::string config_option;  // for the line of authorized_keys: empty when it is the default
  };
  explicit Keys(Context context) : context_(std::move(context)) {}

  Result<void> create() {
    const std::string& path = config().ssh.identity;
    const Result<FileStat> present = files_.stat(path);
    if (present.ok()) {
      print_note("'" + path + "' is there already and stays\n");
      return show();
    }
    if (present.error().code != Errc::kNotFound) {
      return present.error();
    }
    TRY(files_.make_directories(directory_of(path)));
    TRY_ASSIGN(const std::string text, make_private_key());
    if (const auto written = write_new_file(files_, {.path = path, .text = text}); !written.ok()) {
      return not_written(written.error().within("write the key '" + path + "'"), path);
    }
    print_note("made the key '" + path + "' of user " + context_.user.name + "\n");
    return show();
  }

  Result<void> show() {
    const std::string& path = config().ssh.identity;
    Result<std::string> text = read_whole_file(files_, path);
    if (!text.ok()) {
      Error error = text.error();
      if (error.code == Errc::kNotFound) {
        error.hint = "make it: pgwalship keys create";
      }
      return error;
    }
    const Result<SshPublicKey> key = public_key_of(text.value());
    if (!key.ok()) {
      return Error{Errc::kInvalid, "'" + path + "': " + key.error().message,
                   "name another file in [ssh] identity, then: pgwalship keys create"};
    }
    struct stat mode {};
    if (::stat(path.c_str(), &mode) == 0 && (mode.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
      print_note("warning: '" + path + "' is open to others\nHINT: chmod 600 " + path + "\n");
    }
    print_note(shown(key.value()) + "\n");
    const std::string peers = peer_names(config());
    if (peers.empty()) {
      return Error{Errc::kInvalid, "'" + config().path + "' lists no other node",
                   "add the nodes under [cluster]"};
    }
    print_note("append this line to ~" + config().ssh.user + "/.ssh/authorized_keys on " + peers +
               ":\n");
    print_out(authorized_line({.client = context_.client,
                               .config = context_.config_option,
                               .node = config().node_name,
                               .key_type = key.value().type,
                               .key_base64 = key.value().base64}) +
              "\n");
    return {};
  }

  struct Pinning {
    std::vector<std::string> peers;  // empty: all
    std::string fingerprint;         // empty: a person confirms
    enum class Confirm { kAsk, kYes } confirm = Confirm::kAsk;
    enum class Replace { kNo, kYes } replace = Replace::kNo;
  };
  Result<void> pin(const Pinning& pinning) {
    std::vector<NodeId> peers;
    for (const std::string& name : pinning.peers) {
      const std::optional<NodeId> peer = config().nodes.find(name);
      if (!peer || *peer == config().nodes.self) {
        return Error{Errc::kInvalid, "'" + name + "' is no peer of this node",
                     "the peers are " + peer_names(config())};
      }
      peers.push_back(*peer);
    }
    for (NodeId id = 0; pinning.peers.empty() && id < config().nodes.size(); ++id) {
      if (id != config().nodes.self) {
        peers.push_back(id);
      }
    }
    if (!pinning.fingerprint.empty() && peers.size() != 1) {
      return Error{Errc::kInvalid, "--fingerprint belongs to one host",
                   "name one peer: pgwalship keys pin --fingerprint SHA256:... PEER"};
    }
    std::size_t failed = 0;
    for (const NodeId peer : peers) {
      if (const auto pinned = pin_one(config().nodes.at(peer), pinning); !pinned.ok()) {
        print_reason(std::string(kWho), pinned.error().within(config().nodes.at(peer).name));
        ++failed;
      }
    }
    if (failed > 0) {
      return Error{
          Errc::kRetry,
          std::to_string(failed) + " of " + std::to_string(peers.size()) + " peers are not pinned",
          ""};
    }
    return {};
  }

 private:
  const Config& config() const { return context_.config; }

  Error not_written(Error error, const std::string& path) const {
    error.hint = "may the user '" + context_.user.name + "' write into '" + directory_of(path) +
                 "'? The daemon runs as the same user";
    return error;
  }

  Result<void> pin_one(const Node& node, const Pinning& pinning) {
    TRY_ASSIGN(const SshPublicKey shows,
               fetch_host_key({.host = node.address,
                               .port = node.port,
                               .user = config().ssh.user,
                               .identity = "",
                               .known_hosts = "",
                               .ciphers = config().ssh.ciphers,
                               .connect_timeout = config().ssh.connect_timeout,
                               .command = ""}));
    const std::string& path = config().ssh.known_hosts;
    TRY_ASSIGN(std::string text, read_pins(path));
    const std::string name = known_hosts_entry_name(node.address, node.port);
    const std::vector<PinnedKey> pinned = pinned_keys(text, name);
    const PinnedKey seen{shows.type, shows.base64};
    if (std::find(pinned.begin(), pinned.end(), seen) != pinned.end()) {
      print_note(node.name + ": " + shown(shows) + " is pinned already\n");
      return {};
    }
    if (!pinned.empty() && pinning.replace == Pinning::Replace::kNo) {
      return Error{Errc::kInvalid,
                   "it shows " + shown(shows) + ", which is not what is pinned as " + name + ": " +
                       shown_pins(pinned),
                   "somebody may be in between, or the host was installed anew; only when you "
                   "know why it changed: pgwalship keys pin --replace " +
                       node.name};
    }
    TRY(confirm(node, shows, pinning));
    text = with_pinned_key(without_pinned_keys(text, name), name, seen);
    TRY(files_.make_directories(directory_of(path)));
    if (const auto written = replace_file(files_, {.path = path, .text = text}); !written.ok()) {
      return not_written(written.error(), path);
    }
    print_note(node.name + ": pinned " + shown(shows) + " in '" + path + "'\n");
    return {};
  }

  Result<std::string> read_pins(const std::string& path) {
    Result<std::string> text = read_whole_file(files_, path);
    if (!text.ok() && text.error().code == Errc::kNotFound) {
      return std::string();
    }
    return text;
  }

  static std::string shown_pins(const std::vector<PinnedKey>& pinned) {
    std::string all;
    for (const PinnedKey& pin : pinned) {
      const Result<SshPublicKey> key = parse_public_key(pin.type, pin.base64);
      all += (all.empty() ? "" : ", ") + (key.ok() ? shown(key.value()) : pin.type);
    }
    return all;
  }

  static Result<void> confirm(const Node& node, const SshPublicKey& shows, const Pinning& pinning) {
    if (!pinning.fingerprint.empty()) {
      if (pinning.fingerprint == shows.fingerprint) {
        return {};
      }
      return Error{Errc::kInvalid, "it shows " + shown(shows) + ", not " + pinning.fingerprint,
                   "compare with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` there"};
    }
    print_note(node.name + " (" + node.address + ", port " + std::to_string(node.port) +
               ") shows " + shown(shows) + "\n");
    if (pinning.confirm == Pinning::Confirm::kYes) {
      return {};
    }
    const std::string compare =
        "compare it with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints on " +
        node.name;
    if (::isatty(STDIN_FILENO) != 1) {
      return Error{Errc::kInvalid, "nobody confirmed " + shown(shows),
                   compare + ", then: pgwalship keys pin --fingerprint " + shows.fingerprint + " " +
                       node.name};
    }
    print_note(compare + "\nIs it the same? [yes/no] ");
    std::string answer;
    std::getline(std::cin, answer);
    if (answer != "yes") {
      return Error{Errc::kInvalid, "not confirmed, so it is not pinned", ""};
    }
    return {};
  }

  const Context context_;
  PosixFileSystem files_;
};

struct KeysCall {
  std::string what;
  Keys::Pinning pinning;
};

Result<KeysCall> parse_call(const std::vector<std::string>& words) {
  const Error usage{Errc::kInvalid, "it needs one of create, show, pin",
                    "`pgwalship keys --help` shows the command line"};
  if (words.empty()) {
    return usage;
  }
  KeysCall call{words.front(), {}};
  if (call.what != "create" && call.what != "show" && call.what != "pin") {
    return usage;
  }
  std::vector<std::string> options;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i].starts_with('-')) {
      options.push_back(words[i]);
      if (words[i] == "--fingerprint" && i + 1 < words.size()) {
        options.push_back(words[++i]);
      }
    } else {
      call.pinning.peers.push_back(words[i]);
    }
  }
  const bool pins = call.what == "pin";
  if (!pins && words.size() > 1) {
    return Error{Errc::kInvalid, "'" + words[1] + "' is not understood after " + call.what,
                 usage.hint};
  }
  TRY_ASSIGN(
      const Arguments arguments,
      parse_arguments({.optional_values = {"fingerprint"}, .flags = {"yes", "replace"}}, options));
  if (const auto given = arguments.values.find("fingerprint"); given != arguments.values.end()) {
    call.pinning.fingerprint = given->second;
  }
  if (arguments.flags.contains("yes")) {
    call.pinning.confirm = Keys::Pinning::Confirm::kYes;
  }
  if (arguments.flags.contains("replace")) {
    call.pinning.replace = Keys::Pinning::Replace::kYes;
    if (call.pinning.peers.empty()) {
      return Error{Errc::kInvalid, "--replace needs the peer whose host key has changed",
                   "pgwalship keys pin --replace PEER"};
    }
  }
  return call;
}

Result<Keys::Context> open_context(const SetupInvocation& setup) {
  const std::string path = find_config_path(setup.invocation.config_path);
  TRY_ASSIGN(Config config, load_config(path));
  if (config.nodes.size() < 2) {
    return Error{Errc::kInvalid, "'" + path + "' lists no other node: no key is needed",
                 "add the nodes under [cluster]"};
  }
  TRY_ASSIGN(ActingUser user, become_daemon_user(config));
  // Once more, as that user: it must be able to read it, and may be the default of [ssh] user.
  TRY_ASSIGN(config, load_config(path));
  std::string option;
  if (path != kDefaultConfigPath) {
    TRY_ASSIGN(option, absolute_path(path));
  }
  return Keys::Context{std::move(config), std::move(user), setup.client, std::move(option)};
}

Result<void> run_call(const SetupInvocation& setup, const KeysCall& call) {
  TRY_ASSIGN(Keys::Context context, open_context(setup));
  Keys keys(std::move(context));
  if (call.what == "pin") {
    return keys.pin(call.pinning);
  }
  return call.what == "create" ? keys.create() : keys.show();
}

}  // namespace

int run_keys(const SetupInvocation& setup) {
  const Result<KeysCall> call = parse_call(setup.invocation.arguments);
  if (!call.ok()) {
    print_reason(std::string(kWho), call.error());
    return kSetupUsage;
  }
  if (const auto done = run_call(setup, call.value()); !done.ok()) {
    print_reason(std::string(kWho), done.error());
    return done.error().code == Errc::kInvalid ? kSetupUsage : kSetupFailed;
  }
  return kSetupDone;
}

}  // namespace pgwalship
