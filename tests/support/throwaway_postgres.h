// A real PostgreSQL in a directory of its own, on a unix socket there and no port. It ends with the
// object. As root it runs as the user postgres.
#pragma once

#include "tests/support/temp_dir.h"

#include <memory>
#include <string>

namespace pgwalship {

class ThrowawayPostgres {
 public:
  // False where the server or the user to run it as is missing: the test is to be skipped.
  static bool available();

  // A primary with 1 MiB segments. The settings are lines of postgresql.conf.
  explicit ThrowawayPostgres(const std::string& settings = "");
  // A second server, started, with a copy of the data directory of one that is stopped.
  static std::unique_ptr<ThrowawayPostgres> clone_of(const ThrowawayPostgres& stopped);
  ~ThrowawayPostgres();
  ThrowawayPostgres(const ThrowawayPostgres&) = delete;
  ThrowawayPostgres& operator=(const ThrowawayPostgres&) = delete;

  std::string conninfo() const;
  std::string data_directory() const { return directory_.file("data"); }
  // Its own directory, which the server can write to.
  std::string file(const std::string& name) const { return directory_.file(name); }

  void start();
  void stop();
  // With the next start it is a standby of nobody.
  void make_standby();
  void execute(const std::string& sql);
  // What pg_waldump prints about the file, errors included.
  std::string waldump(const std::string& segment_path) const;
  // What pg_controldata says under that label.
  std::string control_data(const std::string& label) const;

 private:
  struct Clone {};
  explicit ThrowawayPostgres(Clone);
  void own_directory() const;
  void listen_here() const;

  TempDir directory_;
  bool running_ = false;
};

}  // namespace pgwalship
