#include "tests/support/throwaway_postgres.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <unistd.h>

namespace pgwalship {

namespace {

const std::string kPrograms = "/usr/lib/postgresql/15/bin/";

// Single quotes: no path and no statement of these tests holds one that is not doubled here.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    result += c == '\'' ? "'\\''" : std::string(1, c);
  }
  return result + "'";
}

std::string as_server_user(const std::string& command) {
  return ::getuid() == 0 ? "runuser -u postgres -- sh -c " + quoted(command) : command;
}

void run(const std::string& command, const std::string& log) {
  const std::string line = "cd / && { " + command + "; } >>" + quoted(log) + " 2>&1 </dev/null";
  if (std::system(as_server_user(line).c_str()) != 0) {
    std::ifstream text(log);
    std::fprintf(stderr, "%s\n", command.c_str());
    for (std::string each; std::getline(text, each);) {
      std::fprintf(stderr, "  %s\n", each.c_str());
    }
    std::abort();
  }
}

void write_file(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::app) << content;
}

}  // namespace

bool ThrowawayPostgres::available() {
  return ::access((kPrograms + "initdb").c_str(), X_OK) == 0 &&
         (::getuid() != 0 || std::system("runuser -u postgres -- true") == 0);
}

ThrowawayPostgres::ThrowawayPostgres(const std::string& settings) {
  own_directory();
  run(kPrograms + "initdb -D " + quoted(data_directory()) +
          " -A trust -U postgres --no-sync --no-instructions --wal-segsize=1",
      file("log"));
  write_file(
      data_directory() + "/postgresql.conf",
      "listen_addresses = ''\nfsync = off\nmin_wal_size = 2MB\nmax_wal_size = 8MB\n" + settings);
  listen_here();
  start();
}

ThrowawayPostgres::ThrowawayPostgres(Clone) {
  own_directory();
}

std::unique_ptr<ThrowawayPostgres> ThrowawayPostgres::clone_of(const ThrowawayPostgres& stopped) {
  CHECK(!stopped.running_);
  std::unique_ptr<ThrowawayPostgres> clone(new ThrowawayPostgres(Clone{}));
  run("cp -a " + quoted(stopped.data_directory()) + " " + quoted(clone->data_directory()),
      clone->file("log"));
  clone->listen_here();
  clone->start();
  return clone;
}

void ThrowawayPostgres::own_directory() const {
  if (::getuid() == 0) {
    CHECK(std::system(("chown postgres " + quoted(directory_.path())).c_str()) == 0);
  }
}

// The last line about it counts.
void ThrowawayPostgres::listen_here() const {
  write_file(data_directory() + "/postgresql.conf",
             "unix_socket_directories = '" + directory_.path() + "'\n");
}

ThrowawayPostgres::~ThrowawayPostgres() {
  stop();
}

std::string ThrowawayPostgres::conninfo() const {
  return "host=" + directory_.path() + " user=postgres dbname=postgres";
}

void ThrowawayPostgres::start() {
  run(kPrograms + "pg_ctl -w -D " + quoted(data_directory()) + " -l " + quoted(file("server")) +
          " start",
      file("log"));
  running_ = true;
}

void ThrowawayPostgres::stop() {
  if (running_) {
    run(kPrograms + "pg_ctl -w -m fast -D " + quoted(data_directory()) + " stop", file("log"));
    running_ = false;
  }
}

void ThrowawayPostgres::make_standby() {
  write_file(data_directory() + "/standby.signal", "");
}

void ThrowawayPostgres::execute(const std::string& sql) {
  run(kPrograms + "psql -v ON_ERROR_STOP=1 -d " + quoted(conninfo()) + " -c " + quoted(sql),
      file("log"));
}

std::string ThrowawayPostgres::waldump(const std::string& segment_path) const {
  const std::string path = directory_.file("waldump");
  run(kPrograms + "pg_waldump " + quoted(segment_path) + " >" + quoted(path) + " 2>&1 || true",
      directory_.file("log"));
  std::ifstream text(path);
  return std::string(std::istreambuf_iterator<char>(text), {});
}

std::string ThrowawayPostgres::control_data(const std::string& label) const {
  const std::string path = directory_.file("control_data");
  run("LC_ALL=C " + kPrograms + "pg_controldata " + quoted(data_directory()) + " >" + quoted(path),
      directory_.file("log"));
  std::ifstream text(path);
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with(label + ":")) {
      return line.substr(line.find_first_not_of(' ', label.size() + 1));
    }
  }
  return "";
}

}  // namespace pgwalship
