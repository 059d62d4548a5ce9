// The verbs of `pgwalship`, each in a file of its own; cmd/pgwalship.cc has the table of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

struct Invocation {
  std::string config_path;  // of --config; empty when not given
  std::vector<std::string> arguments;
};

struct Verb {
  std::string_view name;
  std::string_view synopsis;  // "push PATH NAME"
  std::string_view summary;
  std::string_view help;
  int (*run)(const Invocation& invocation);
  // What the process ends with when it cannot be run at all: wrong usage, an exception, a crash.
  int (*failure_status)();
};

extern const Verb kPushVerb;
extern const Verb kFetchVerb;
extern const Verb kReceiveVerb;
extern const Verb kRescueVerb;
extern const Verb kStatusVerb;
extern const Verb kTimelineVerb;
extern const Verb kVerifyVerb;
extern const Verb kReconcileVerb;
extern const Verb kConflictsVerb;
extern const Verb kCheckVerb;
extern const Verb kMetricsVerb;
extern const Verb kExpireVerb;
extern const Verb kCleanupVerb;
extern const Verb kKeysVerb;
extern const Verb kConfigVerb;
extern const Verb kAdoptVerb;

}  // namespace pgwalship
