// Moving from a tutorial's archive script to pgwalship: the configuration that follows from what is
// known, and what a person has to do. Pure.
#pragma once

#include "cmd/tutorial_script.h"

#include <cstdint>
#include <string>
#include <vector>

namespace pgwalship {

struct Adoption {
  TutorialScript script;       // empty when none was given
  std::string script_path;     // the same
  std::string directory;       // where the files are
  std::string archive;         // where they belong: the same directory, or another
  std::string data_directory;  // empty: not known
  std::string home;            // of the archive's owner
  std::string config_path;     // what is, or would be, written
  std::string default_config;  // the path that needs no --config
};

std::string adopted_config(const Adoption& adoption);
// What to change in postgresql.conf, in which order, and how to go back.
std::string next_steps(const Adoption& adoption);

}  // namespace pgwalship
