// sim: runs the simulated cluster from seeds. A failing seed is printed with how to replay it.
#include "tests/sim/world.h"

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace pgwalship::sim {
namespace {

constexpr std::string_view kUsage =
    "usage: sim --seed N [--verbose]        one run, with what happened\n"
    "       sim --seeds COUNT | A..B        many runs, until one fails\n"
    "options: --mutation WORD               with a deliberate mistake (tests/sim/mutation.h)\n"
    "         --careless                    disks are replaced while others lack files\n"
    "exit status: 0 all is well, 1 a promise was broken, 2 usage\n";

struct Arguments {
  std::uint64_t first = 1;
  std::uint64_t last = 1000;
  bool verbose = false;
  bool careless = false;
  Mutation mutation = Mutation::kNone;
};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

bool parse_seeds(std::string_view text, Arguments& arguments) {
  const std::size_t dots = text.find("..");
  const auto low = number(dots == text.npos ? "1" : text.substr(0, dots));
  const auto high = number(dots == text.npos ? text : text.substr(dots + 2));
  if (!low || !high || *low > *high) {
    return false;
  }
  arguments.first = *low;
  arguments.last = *high;
  return true;
}

bool parse_mutation(std::string_view text, Arguments& arguments) {
  for (int i = 0; i <= static_cast<int>(Mutation::kReadIsShipped); ++i) {
    if (to_word(static_cast<Mutation>(i)) == text) {
      arguments.mutation = static_cast<Mutation>(i);
      return true;
    }
  }
  return false;
}

std::optional<Arguments> parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    const std::string_view value = i + 1 < argc ? argv[i + 1] : "";
    if (option == "--verbose") {
      arguments.verbose = true;
      continue;
    }
    if (option == "--careless") {
      arguments.careless = true;
      continue;
    }
    ++i;
    if (option == "--seed" && number(value)) {
      arguments.first = arguments.last = *number(value);
    } else if (!(option == "--seeds" && parse_seeds(value, arguments)) &&
               !(option == "--mutation" && parse_mutation(value, arguments))) {
      return std::nullopt;
    }
  }
  return arguments;
}

char current[64];

// A CHECK of the code under test failed: say which run it was.
void on_abort(int /*signal*/) {
  // Nothing else is safe here, and nothing can be done when it fails.
  [[maybe_unused]] const auto written = write(STDERR_FILENO, current, std::strlen(current));
}

int run(const Arguments& arguments) {
  const auto began = std::chrono::steady_clock::now();
  World::Numbers sum;
  for (std::uint64_t seed = arguments.first; seed <= arguments.last; ++seed) {
    std::snprintf(current, sizeof current, "sim: aborted in --seed %llu\n",
                  static_cast<unsigned long long>(seed));
    Scenario scenario = random_scenario(seed);
    scenario.mutation = arguments.mutation;
    if (arguments.careless) {
      scenario.replace = Scenario::Replace::kWhenACopyIsLeft;
    }
    World::Say say;
    if (arguments.verbose) {
      std::printf("%s\n", to_text(scenario).c_str());
      say = [](const std::string& line) { std::printf("%s\n", line.c_str()); };
    }
    World world(scenario, say);
    if (const auto violation = world.run()) {
      std::printf("FAILED %s\n  %s\n  replay: sim --seed %llu%s --verbose\n",
                  to_text(scenario).c_str(), violation->c_str(),
                  static_cast<unsigned long long>(seed),
                  arguments.mutation == Mutation::kNone
                      ? ""
                      : (" --mutation " + std::string(to_word(arguments.mutation))).c_str());
      return 1;
    }
    sum.events += world.numbers().events;
    sum.acknowledged += world.numbers().acknowledged;
    sum.found += world.numbers().found;
    sum.absent += world.numbers().absent;
    sum.crashes += world.numbers().crashes;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf(
      "sim: seeds %llu..%llu well in %.1f s: %llu events, %zu files acknowledged, %zu "
      "fetches found, %zu proven absent, %zu crashes\n",
      static_cast<unsigned long long>(arguments.first),
      static_cast<unsigned long long>(arguments.last), took.count(),
      static_cast<unsigned long long>(sum.events), sum.acknowledged, sum.found, sum.absent,
      sum.crashes);
  return 0;
}

}  // namespace
}  // namespace pgwalship::sim

int main(int argc, char** argv) {
  const auto arguments = pgwalship::sim::parse(argc, argv);
  if (!arguments) {
    std::fputs(pgwalship::sim::kUsage.data(), stderr);
    return 2;
  }
  std::signal(SIGABRT, pgwalship::sim::on_abort);
  return pgwalship::sim::run(*arguments);
}
