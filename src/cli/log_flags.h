// The log in flags of `penstock serve`: what is written, how and where.

#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/log_share.h"
#include "cli/serve.h"

namespace gw {

struct LogFlags {
  std::string level = "info";
  std::string format = "json";
  std::string file;  // empty: standard error
  std::string requests = "all";
  bool no_requests = false;    // the same as requests "none"
  bool prompt_blocks = false;  // lines of requests name what their prompts begin with
};

// `flags` outlives the command.
void AddLog(CLI::App& serve, LogFlags& flags);
// One of the levels' names.
CLI::Validator LogLevelWord();

// Both of flags that were checked when they were read.
LogOptions LogOptionsOf(const LogFlags& flags);
LogShare LogShareOf(const LogFlags& flags);

}  // namespace gw
