// Feeds the forecast: reads free space, the size of pg_wal and its backlog every few seconds, on a
// worker, and logs what the forecast says. Each directory is read once a sample, however many
// segments wait (H19). Loop thread; decides nothing.
#pragma once

#include "archiver/pg_wal_forecast.h"
#include "base/event_loop.h"
#include "base/file_system.h"
#include "base/log.h"
#include "base/worker.h"

#include <string>

namespace pgwalship {

class PgWalGauge {
 public:
  struct Options {
    std::string pg_wal;  // empty: nothing is watched
    PgWalForecast::Options forecast;
  };
  // Everything is borrowed.
  struct Machine {
    EventLoop& loop;
    Worker& scans;
    const FileSystem& file_system;
    Log& log;
  };

  PgWalGauge(Options options, Machine machine)
      : options_(std::move(options)), machine_(machine), forecast_(options_.forecast) {}
  PgWalGauge(const PgWalGauge&) = delete;
  PgWalGauge& operator=(const PgWalGauge&) = delete;

  // For EventLoop::on_turn.
  TimePoint tick(TimePoint now);
  const PgWalForecast& forecast() const { return forecast_; }
  void set_limits(Duration warning, Duration critical) { forecast_.set_limits(warning, critical); }

 private:
  const Options options_;
  Machine machine_;
  PgWalForecast forecast_;
  TimePoint next_{};
};

// Blocks.
Result<PgWalSample> read_pg_wal_sample(const FileSystem& file_system, const std::string& pg_wal);

}  // namespace pgwalship
