#include "cmd/config.h"

#include "base/fd.h"
#include "base/user_name.h"
#include "cmd/config_keys.h"
#include "cmd/config_problems.h"
#include "cmd/corosync_nodes.h"
#include "cmd/ini.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <memory>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace pgwalship {
namespace {

// Far more than a cluster of PostgreSQL servers has. Each is a link with a thread of its own.
constexpr std::size_t kNodesMax = 64;
constexpr std::size_t kFileSizeMax = 1 << 20;  // a cluster's configuration has a page or two

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) {
    return "";
  }
  return name.data();
}

Result<std::string> canonical_host_name() {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_CANONNAME;
  addrinfo* found = nullptr;
  const std::string name = host_name();
  if (const int code = ::getaddrinfo(name.c_str(), nullptr, &hints, &found); code != 0) {
    return Error{
        Errc::kInvalid,
        "the full name of this host, '" + name + "', is not known: " + ::gai_strerror(code), ""};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  return std::string(found->ai_canonname != nullptr ? found->ai_canonname : name);
}

Result<std::string> current_user() {
  const std::optional<std::string> name = effective_user_name();
  return name ? Result<std::string>(*name)
              : Error{Errc::kInvalid, "the current user has no name", "set it here"};
}

Result<std::string> read_file(const std::string& path) {
  const std::string doing = "open '" + path + "'";
  // O_NONBLOCK: a FIFO of that name must not hang us; for regular files it means nothing.
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) {
    return errno_error(doing, errno);
  }
  struct stat found {};
  if (::fstat(file.get(), &found) != 0) {
    return errno_error("stat '" + path + "'", errno);
  }
  if (!S_ISREG(found.st_mode) && !S_ISCHR(found.st_mode)) {
    return Error{Errc::kInvalid, doing + ": not a regular file", ""};
  }
  std::string text;
  std::array<char, 4096> block{};
  while (true) {
    const ssize_t got = ::read(file.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return errno_error("read '" + path + "'", errno);
    }
    if (got == 0) {
      return text;
    }
    text.append(block.data(), static_cast<std::size_t>(got));
    if (text.size() > kFileSizeMax) {
      return Error{Errc::kInvalid, "'" + path + "' is larger than a configuration can be", ""};
    }
  }
}

// Turns the text into a Config, collecting what is wrong on the way.
class Loader {
 public:
  Loader(const std::string& path, const LoadOptions& options) : options_(options), problems_(path) {
    config_.path = path;
  }

  Result<Config> load(std::string_view text) {
    text_ = parse_ini(text);
    for (const IniProblem& problem : text_.problems) {
      problems_.add(problem.line, "", Error{Errc::kInvalid, problem.what, ""});
    }
    for (const IniSection& section : text_.sections) {
      if (!is_config_section(section.name)) {
        problems_.add(section.line, "[" + section.name + "]", unknown_section(section.name));
      }
    }
    for (const IniEntry& entry : text_.entries) {
      if (is_config_section(entry.section)) {
        set(entry);
      }
    }
    check_nodes();
    check_quorum();
    find_self();
    check_archive();
    check_pg_wal();
    check_ssh();
    TRY(problems_.result());
    return std::move(config_);
  }

 private:
  void set(const IniEntry& entry) {
    const std::string where = "[" + entry.section + "] " + entry.key;
    const ConfigKey* key = find_config_key(entry.section, entry.key);
    if (key == nullptr) {
      problems_.add(entry.line, where, unknown_key(entry.section, entry.key));
      return;
    }
    const auto [first, is_first] = config_.lines.emplace(where, entry.line);
    const bool is_node = entry.section == "cluster" && entry.key == "node";
    if (!is_first && key->times == ConfigKey::Times::kOnce) {
      problems_.add(
          entry.line, where,
          Error{Errc::kInvalid, "given twice, first in line " + std::to_string(first->second), ""});
      return;
    }
    std::string& written = config_.values[where];
    written += (written.empty() ? "" : "\n") + entry.value;
    const Result<void> result =
        entry.value.empty()                    ? Error{Errc::kInvalid, "the value is missing", ""}
        : is_node && entry.value == "corosync" ? add_corosync_nodes(*key)
                                               : key->set(config_, entry.value);
    if (!result.ok()) {
      problems_.add(entry.line, where, result.error());
      broken_.push_back(where);
    }
    node_lines_.resize(config_.nodes.size(), entry.line);
  }

  // As if its nodes stood here. The file is what a running Corosync has read; asking it would mean
  // a process, and a wait, for each segment.
  Result<void> add_corosync_nodes(const ConfigKey& key) {
    const auto add = [&]() -> Result<void> {
      TRY_ASSIGN(const std::string text, read_file(options_.corosync_conf));
      const auto nodes = parse_corosync_nodes(text);
      if (!nodes.ok()) {
        return nodes.error().within("'" + options_.corosync_conf + "'");
      }
      for (const CorosyncNode& node : nodes.value()) {
        TRY(key.set(config_, node.name + " address=" + node.address));
      }
      return {};
    };
    if (const Result<void> added = add(); !added.ok()) {
      return Error{Errc::kInvalid, "corosync: " + added.error().message,
                   "`node = corosync` needs Corosync's configuration on every node, readable for "
                   "the user that runs pgwalship; else list the nodes, one line each"};
    }
    return {};
  }

  bool given(std::string_view where) const { return config_.lines.contains(where); }

  // Given and wrong: what follows from it is not reported a second time.
  bool broken(std::string_view where) const {
    return std::find(broken_.begin(), broken_.end(), where) != broken_.end();
  }

  // The line of the key, else of its section, else the last one.
  int line_of(std::string_view where) const {
    if (const auto line = config_.lines.find(where); line != config_.lines.end()) {
      return line->second;
    }
    for (const IniSection& section : text_.sections) {
      const std::string heading = "[" + section.name + "]";
      if (where.substr(0, heading.size()) == heading) {
        return section.line;
      }
    }
    return text_.last_line;
  }

  void complain(const std::string& where, std::string what, std::string hint = "") {
    problems_.add(line_of(where), where, Error{Errc::kInvalid, std::move(what), std::move(hint)});
  }

  void require(const std::string& where, const std::string& why) {
    if (!given(where)) {
      complain(where, "missing" + (why.empty() ? "" : ": " + why));
    }
  }

  void check_nodes() {
    const std::vector<Node>& nodes = config_.nodes.nodes;
    if (nodes.size() > kNodesMax) {
      problems_.add(node_lines_[kNodesMax], "[cluster] node",
                    Error{Errc::kInvalid,
                          "at most " + std::to_string(kNodesMax) +
                              " nodes can be listed, these are " + std::to_string(nodes.size()),
                          ""});
      broken_.emplace_back("[cluster] node");
      return;
    }
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const std::string first = ", first in line " + std::to_string(node_lines_[j]);
        if (nodes[i].name == nodes[j].name) {
          problems_.add(
              node_lines_[i], "[cluster] node",
              Error{Errc::kInvalid, "'" + nodes[i].name + "' is listed twice" + first, ""});
          break;
        }
        if (nodes[i].address == nodes[j].address && nodes[i].port == nodes[j].port) {
          problems_.add(node_lines_[i], "[cluster] node",
                        Error{Errc::kInvalid,
                              "address " + nodes[i].address + " port " +
                                  std::to_string(nodes[i].port) + " is listed twice" + first,
                              "one archive under two names would count twice in a quorum"});
          break;
        }
      }
    }
    if (!nodes.empty()) {
      require("[cluster] name", "the nodes of one cluster know each other by it");
    }
  }

  void check_quorum() {
    const std::string where = "[cluster] quorum";
    if (!given(where) && config_.nodes.size() > 0) {
      auto quorum = Quorum::parse("ANY 1 (*)");
      CHECK(quorum.ok());
      config_.quorum = std::move(quorum).value();
    }
    if (!broken(where) && !broken("[cluster] node")) {
      if (const auto valid = config_.quorum.validate(config_.nodes); !valid.ok()) {
        problems_.add(line_of(where), where, valid.error());
      }
    }
    if (config_.postgres.acknowledge_from_pg_wal) {
      require("[postgres] data-directory", "needed with acknowledge-from-pg-wal = on");
    }
    if (given("[postgres] look-ahead") && config_.postgres.look_ahead > 0) {
      require("[postgres] data-directory", "needed with look-ahead");
    }
    if (config_.cluster.on_quorum_loss == OnQuorumLoss::kLocal) {
      const std::string why = "needed with on-quorum-loss = local";
      require("[postgres] data-directory", why);
      require("[postgres] pg-wal-minimum-free", why);
      if (given("[postgres] pg-wal-minimum-free") && !broken("[postgres] pg-wal-minimum-free") &&
          config_.postgres.pg_wal_minimum_free_bytes == 0) {
        complain("[postgres] pg-wal-minimum-free", "0 would never be reached",
                 "free space below which the local copy alone is acknowledged, such as 2GB");
      }
    }
  }

  // Sets node_name and nodes.self. DNS is the last resort: it may hang when a cluster starts.
  void find_self() {
    const std::string where = "[cluster] node-name";
    if (broken(where) || broken("[cluster] node")) {
      return;
    }
    NodeList& nodes = config_.nodes;
    if (given(where)) {
      if (const auto self = nodes.find(config_.node_name)) {
        nodes.self = *self;
      } else if (nodes.size() > 0) {
        complain(where, "'" + config_.node_name + "' is not one of the nodes", "add a node line");
      }
      return;
    }
    config_.node_name = options_.host_name ? options_.host_name() : host_name();
    if (nodes.size() == 0 || become(sole_node_called(config_.node_name)) ||
        options_.lookups == Lookups::kNone) {
      return;
    }
    const auto full =
        options_.canonical_host_name ? options_.canonical_host_name() : canonical_host_name();
    const std::string hint = "set it to one of the names in the node lines";
    if (!full.ok()) {
      complain(where, "missing: " + full.error().message, hint);
    } else if (!become(nodes.find(full.value()))) {
      complain(where, "missing: this host is '" + full.value() + "', which is not one of the nodes",
               hint);
    }
  }

  bool become(std::optional<NodeId> self) {
    if (self) {
      config_.nodes.self = *self;
      config_.node_name = config_.nodes.at(*self).name;
    }
    return self.has_value();
  }

  // The node of that name, or the only one that has it as its first label.
  std::optional<NodeId> sole_node_called(const std::string& host) const {
    if (const auto exact = config_.nodes.find(host)) {
      return exact;
    }
    std::optional<NodeId> found;
    for (NodeId id = 0; id < config_.nodes.size() && !host.empty(); ++id) {
      if (config_.nodes.at(id).name.rfind(host + ".", 0) == 0) {
        if (found) {
          return std::nullopt;
        }
        found = id;
      }
    }
    return found;
  }

  void check_archive() { require("[archive] directory", "where the segments go"); }

  void check_pg_wal() {
    if (config_.postgres.pg_wal_critical > config_.postgres.pg_wal_warning) {
      complain("[postgres] pg-wal-critical", "it is longer than pg-wal-warning",
               "the alarm comes after the warning");
    }
  }

  void check_ssh() {
    if (config_.nodes.size() < 2) {
      return;
    }
    require("[ssh] identity", "the private key for the other nodes");
    require("[ssh] known-hosts", "the host keys of the other nodes");
    if (!given("[ssh] user") && options_.lookups == Lookups::kAllowed) {
      auto user = current_user();
      if (user.ok()) {
        config_.ssh.user = std::move(user).value();
      } else {
        problems_.add(line_of("[ssh] user"), "[ssh] user", user.error());
      }
    }
  }

  const LoadOptions& options_;
  ConfigProblems problems_;
  Config config_;
  IniText text_;
  std::vector<int> node_lines_;  // as long as config_.nodes
  std::vector<std::string> broken_;
};

}  // namespace

Result<Config> parse_config(std::string_view text, const std::string& path,
                            const LoadOptions& options) {
  return Loader(path, options).load(text);
}

Result<Config> load_config(const std::string& path, const LoadOptions& options) {
  const auto text = read_file(path);
  if (!text.ok()) {
    const std::string& hint = text.error().hint;
    return Error{Errc::kInvalid, "configuration: " + text.error().message,
                 !hint.empty()
                     ? hint + "; it is for root and the user of pgwalshipd to read"
                     : "write it (the README has one, pgwalship.conf(5) every key), or name "
                       "another with --config FILE before the verb, or with "
                       "PGWALSHIP_CONFIG; the default is " +
                           std::string(kDefaultConfigPath)};
  }
  return parse_config(text.value(), path, options);
}

std::string find_config_path(std::string_view explicit_path) {
  if (!explicit_path.empty()) {
    return std::string(explicit_path);
  }
  const char* from_environment = std::getenv("PGWALSHIP_CONFIG");
  if (from_environment != nullptr && *from_environment != '\0') {
    return from_environment;
  }
  return std::string(kDefaultConfigPath);
}

std::uint64_t config_digest(const Config& config) {
  std::vector<std::string> nodes;
  for (const Node& node : config.nodes.nodes) {
    nodes.push_back("node " + node.name + " site=" + node.site + "\n");
  }
  std::sort(nodes.begin(), nodes.end());
  std::string text = "cluster " + config.cluster.name + "\n";
  for (const std::string& node : nodes) {
    text += node;
  }
  text += "quorum " + config.quorum.text() + "\n";
  text += "on-quorum-loss ";
  text += config.cluster.on_quorum_loss == OnQuorumLoss::kLocal ? "local\n" : "wait\n";

  std::uint64_t digest = 0xcbf29ce484222325;
  for (const char c : text) {
    digest ^= static_cast<unsigned char>(c);
    digest *= 0x100000001b3;
  }
  return digest;
}

std::vector<std::string> config_keys() {
  std::vector<std::string> keys;
  for (const ConfigKey& key : all_config_keys()) {
    keys.push_back("[" + std::string(key.section) + "] " + std::string(key.name));
  }
  return keys;
}

}  // namespace pgwalship
