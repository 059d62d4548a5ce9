// Deliberate mistakes, made around the production code and never in it: the proof that the checker
// bites (mutations_test.cc). Each is what somebody might well write.
#pragma once

#include <string_view>

namespace pgwalship::sim {

enum class Mutation {
  kNone,
  kSyncDoesNothing,           // the disk: acknowledged before the content is durable
  kDirectorySyncDoesNothing,  // the disk: acknowledged before the name is durable
  kLinkOverwrites,            // the disk: the last writer of a name wins
  kLocalStoredEarly,          // the daemon: told its Shipper before the store ran
  kFileAnsweredEarly,         // the daemon: takes a sent file for a stored one
  kQuorumOffByOne,            // the daemon: one peer less than configured
  kNewNodesCount,             // the daemon: a peer that is not complete counts all the same
  kSilenceIsEvidence,         // the fetch: a peer that says nothing is said to say no
  kNewNodesAreEvidence,       // the fetch: the word of an archive that is not complete counts
  kLocalOnlyFetch,            // the fetch: what is not here is nowhere
  kNoCatchUp,                 // the daemon: a comparison never finds anything missing
  kNoBackFill,                // the daemon: does not look into its server's pg_wal
  kRepliesGetLost,            // the daemon: some verdicts are never told
  kPullsUnverified,           // the daemon: a pulled copy is taken as it lies there
  kConflictsSpread,           // the daemon: takes the other content of a conflict over
  kBadCopiesStay,             // the daemon: a bad copy that it cannot replace stays where it is
  kExpiredIsEvidence,         // the fetch: who has let it expire never had it
  kHeadersAreCopies,          // retention: a peer's copy counts by its header
  kVanishedIsEvidence,        // the fetch: what other hands took away never was there
  kReadIsShipped,             // look-ahead: takes what it has read for shipped
};

std::string_view to_word(Mutation mutation);

}  // namespace pgwalship::sim
