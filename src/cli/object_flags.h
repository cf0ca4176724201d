// What decides which objects are ours and how they are served, whatever their source: flags of
// `penstock serve` and `check` alike.

#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "translate/translate.h"

namespace gw {

struct ObjectFlags {
  std::vector<std::string> controller_names = {};  // empty: as TranslateOptions has them
  std::vector<std::string> gateway_classes = {};
  std::vector<std::string> picker_names = {};
  bool allow_external_name = false;
};

// `flags` outlives the command.
void AddObjects(CLI::App& command, ObjectFlags& flags);

TranslateOptions OptionsOf(const ObjectFlags& flags);

}  // namespace gw
