// Asks this node's PostgreSQL who it is and how its archiver does, every few seconds, on a thread
// of its own: it may hang, and nobody else may hang with it. Each time over a new connection, so
// that a smart shutdown never waits for us. The only place that knows libpq.
#pragma once

#include "archiver/postgres_facts.h"
#include "base/clock.h"
#include "base/mailbox.h"

#include <thread>

namespace pgwalship {

class PostgresWatch {
 public:
  struct Options {
    std::string conninfo;  // as libpq reads it
    Duration interval = std::chrono::seconds(10);
    Duration interval_down = std::chrono::seconds(2);  // while it does not answer
    Duration connect_timeout = std::chrono::seconds(2);
    Duration query_timeout = std::chrono::seconds(2);
  };

  // Asks at once, then every interval.
  PostgresWatch(const Clock& clock, Options options);
  // At once, unless the resolver is looking up the host name of the conninfo.
  ~PostgresWatch();
  PostgresWatch(const PostgresWatch&) = delete;
  PostgresWatch& operator=(const PostgresWatch&) = delete;

  // Readable while an answer waits.
  int event_fd() const { return answers_.event_fd(); }
  std::optional<PostgresFacts> next() { return answers_.try_pop(); }

 private:
  void run();

  const Clock& clock_;
  const Options options_;
  Fd stop_;  // an eventfd: readable from the destructor on
  Mailbox<PostgresFacts> answers_;
  std::thread thread_;
};

}  // namespace pgwalship
