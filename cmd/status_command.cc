#include "base/fd.h"
#include "cmd/command_line.h"
#include "cmd/daemon_call.h"
#include "cmd/emergency_exit.h"
#include "cmd/report_call.h"
#include "cmd/status_view.h"
#include "cmd/terminal.h"
#include "cmd/verbs.h"

#include <unistd.h>

namespace pgwalship {
namespace {

constexpr int kShown = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

constexpr std::chrono::milliseconds kAnswerLimit{5'000};
constexpr std::chrono::milliseconds kRunLimit{10'000};

// How long two reports are apart that give a rate, and the pictures of --watch.
constexpr std::chrono::milliseconds kRateInterval{500};
constexpr std::chrono::milliseconds kWatchInterval{2'000};

int status_failure() {
  return kFailed;
}

Result<void> write_out(const std::string& text) {
  return write_full(STDOUT_FILENO, as_bytes(text), "write the report");
}

class Status {
 public:
  explicit Status(const Config& config) : config_(config) {}

  Result<void> print_json() {
    TRY_ASSIGN(const std::string json, ask());
    return write_out(json);
  }

  // With a second look when files are on their way: only two reports tell how fast.
  Result<void> print() {
    TRY_ASSIGN(std::string json, ask());
    if (shows_traffic(json)) {
      earlier_ = {std::move(json), std::chrono::duration<double>(kRateInterval).count()};
      pause_for(kRateInterval);
      TRY_ASSIGN(json, ask());
    }
    TRY_ASSIGN(const std::string text, render_status(json, colours_, earlier_));
    return write_out(text);
  }

  // Until somebody ends it, or nobody reads any more. A daemon that is away is waited for.
  Result<void> watch() {
    TimePoint asked_before{};
    for (;; pause_for(kWatchInterval)) {
      const TimePoint asked = clock_.now();
      Result<std::string> json = ask();
      if (!json.ok()) {
        TRY(draw(shaded("NOT KNOWN", Shade::kBad, colours_) + ": " + json.error().text() + "\n"));
        earlier_ = {};
        continue;
      }
      const double apart = std::chrono::duration<double>(asked - asked_before).count();
      earlier_.seconds = earlier_.json.empty() ? 0 : apart;
      TRY_ASSIGN(const std::string text, render_status(json.value(), colours_, earlier_));
      TRY(draw(text));
      earlier_.json = std::move(json).value();
      asked_before = asked;
    }
  }

 private:
  Result<std::string> ask() const {
    return ask_for_report(config_, clock_, clock_.now() + kAnswerLimit);
  }

  // Over the last picture, without a flicker; one after the other where there is no terminal.
  Result<void> draw(const std::string& text) const {
    if (isatty(STDOUT_FILENO) != 1) {
      return write_out(text + "\n");
    }
    std::string picture = "\033[H";
    // Its first line is the one that matters. Behind the last one the cursor needs a row.
    for (const char c :
         fitted(text, terminal_width(STDOUT_FILENO), terminal_height(STDOUT_FILENO) - 1)) {
      picture += c == '\n' ? "\033[K\n" : std::string(1, c);
    }
    return write_out(picture + "\033[J");
  }

  const Config& config_;
  const SystemClock clock_;
  const Colours colours_ = colours_of(STDOUT_FILENO);
  EarlierReport earlier_;
};

int run_status(const Invocation& invocation) {
  const auto fail = [](const Error& error) {
    print_reason("pgwalship status", error);
    return error.code == Errc::kInvalid ? kUsage : kFailed;
  };
  const auto arguments = parse_arguments({.flags = {"json", "watch"}}, invocation.arguments);
  if (!arguments.ok()) {
    return fail(arguments.error());
  }
  const bool as_json = arguments.value().flags.contains("json");
  const bool watches = arguments.value().flags.contains("watch");
  if (as_json && watches) {
    return fail(Error{Errc::kInvalid, "--json and --watch exclude each other",
                      "`pgwalship metrics` is made for programs that look again and again"});
  }
  if (!watches) {
    limit_run_time(kRunLimit);
  }
  const auto config = load_client_config(invocation.config_path);
  if (!config.ok()) {
    return fail(config.error());
  }
  Status status(config.value());
  const Result<void> shown = as_json   ? status.print_json()
                             : watches ? status.watch()
                                       : status.print();
  return shown.ok() ? kShown : fail(shown.error());
}

}  // namespace

const Verb kStatusVerb{
    .name = "status",
    .synopsis = "status [--json | --watch]",
    .summary = "how safe the WAL is, as this node's daemon sees it",
    .help =
        "The first line is the verdict, then what is wrong and what to do, then what it rests on.\n"
        "\n"
        "  --json    the daemon's report as it is, for programs (docs/json.md)\n"
        "  --watch   again every 2 s, until Ctrl-C, with rates and times to go\n"
        "\n"
        "Exit status: 0 the report is shown, whatever it says; 1 the daemon does not answer;\n"
        "2 wrong command line or configuration.\n",
    .run = run_status,
    .failure_status = status_failure};

}  // namespace pgwalship
