// The daemon's main: command line, configuration, log, then cmd/daemon.
#include "cmd/daemon.h"

#include <boost/program_options.hpp>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <sys/stat.h>

namespace {

using namespace pgwalship;  // NOLINT(google-build-using-namespace): a main of this program

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

int serve(const std::string& explicit_path) {
  const Result<Config> config = load_config(find_config_path(explicit_path));
  if (!config.ok()) {
    std::cerr << "pgwalshipd: " << config.error().text() << "\n";
    return kExitUsage;
  }
  const bool journal = stderr_is_journal(std::getenv("JOURNAL_STREAM"));
  Log log(config.value().daemon.log_level, config.value().daemon.log_target.value_or(
                                               journal ? LogTarget::kJournal : LogTarget::kStderr));
  const SystemClock clock;
  const auto daemon = Daemon::start(config.value(), clock, log);
  if (!daemon.ok()) {
    log.error(daemon.error().text());
    return kExitFailure;
  }
  if (const Result<void> ran = daemon.value()->run(); !ran.ok()) {
    log.error(ran.error().text());
    return kExitFailure;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  namespace po = boost::program_options;
  std::signal(SIGPIPE, SIG_IGN);
  umask(077);
  po::options_description options("pgwalshipd: the resident daemon of pgwalship\nOptions");
  options.add_options()("help,h", "print this")("version", "print the version")(
      "config", po::value<std::string>()->default_value(""),
      "configuration file (default: $PGWALSHIP_CONFIG, then /etc/pgwalship/pgwalship.conf)")(
      "foreground", "stay in the foreground; it always does, and a service manager expects it to");
  try {
    po::variables_map given;
    po::store(po::parse_command_line(argc, argv, options), given);
    if (given.count("help") > 0) {
      std::cout << options << "See pgwalshipd(8).\n";
      return 0;
    }
    if (given.count("version") > 0) {
      std::cout << "pgwalshipd " PGWALSHIP_VERSION "\n";
      return 0;
    }
    return serve(given["config"].as<std::string>());
  } catch (const po::error& error) {
    std::cerr << "pgwalshipd: " << error.what() << "\nHINT: pgwalshipd --help\n";
    return kExitUsage;
  } catch (const std::exception& error) {
    std::cerr << "pgwalshipd: " << error.what() << "\n";
    return kExitFailure;
  }
}
