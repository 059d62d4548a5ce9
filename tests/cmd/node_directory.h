// One node's files for the client's tests: configuration, archive, data directory, socket.
#pragma once

#include "tests/cmd/program.h"
#include "tests/support/segment_builder.h"
#include "tests/support/temp_dir.h"

#include <filesystem>
#include <string>

namespace pgwalship {

class NodeDirectory {
 public:
  enum class Peers { kNone, kTwo };

  explicit NodeDirectory(Peers peers = Peers::kTwo, const std::string& more_config = "") {
    for (const char* directory : {"archive", "archive/.pgwalship", "data", "data/pg_wal"}) {
      std::filesystem::create_directory(dir_.file(directory));
    }
    write_file(config(), text(peers) + more_config);
  }

  std::string config() const { return dir_.file("pgwalship.conf"); }
  std::string socket() const { return dir_.file("socket"); }
  std::string data() const { return dir_.file("data"); }
  std::string archive() const { return dir_.file("archive"); }
  std::string in_data(const std::string& name) const { return data() + "/" + name; }

  void put_in_archive(const WalName& name, ByteView file) const {
    write_file(archive() + "/" + name.text() + ".gz", file);
  }

  // As PostgreSQL runs archive_command and restore_command.
  Program::Options command(std::vector<std::string> words) const {
    words.insert(words.begin(), {"--config", config()});
    return {.words = std::move(words), .directory = data()};
  }
  ProgramEnd run(std::vector<std::string> words) const {
    return run_program(command(std::move(words)));
  }

 private:
  std::string text(Peers peers) const {
    std::string text = "[cluster]\nname = main\npush-timeout = 1s\n";
    if (peers == Peers::kTwo) {
      text +=
          "node = pgdb1\nnode = pgdb2\nnode = pgdb3\nnode-name = pgdb1\nquorum = ANY 1 (*)\n"
          "[ssh]\nidentity = /nowhere/key\nknown-hosts = /nowhere/known_hosts\n";
    }
    return text + "[archive]\ndirectory = " + archive() + "\n[daemon]\nsocket = " + socket() +
           "\n[restore]\nfetch-timeout = 1s\n";
  }

  TempDir dir_;
};

}  // namespace pgwalship
