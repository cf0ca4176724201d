// `penstock get`, `describe`, `explain` and `log-level`: ask a running gateway through its admin
// port. What it says is shown without control characters, whoever they are from.

#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "cli/admin_flags.h"

namespace gw {

struct GetFlags {
  AdminFlags admin = {};
  std::string kind = {};  // "pools", "pool/qwen"
  std::vector<std::string> names = {};
  std::string ns = {};
  std::string output = {};  // "", "wide", "json", "yaml", "describe"
  bool watch = false;       // until interrupted
};

struct ExplainFlags {
  AdminFlags admin = {};
  std::string request_id = {};  // one of these three
  bool last = false;
  std::string pool = {};
  std::string output = {};  // "" or "json"
};

struct ReleaseFlags {
  AdminFlags admin = {};
  std::string command = {};  // pause, resume, promote or abort
  std::string name = {};     // of the release, maybe with its namespace before a slash
  std::string ns = {};
};

// Print what the gateway says. 0, or 1 with a message on `err`.
int RunGet(const GetFlags& flags, std::ostream& out, std::ostream& err);
int RunExplain(const ExplainFlags& flags, std::ostream& out, std::ostream& err);
int RunRelease(const ReleaseFlags& flags, std::ostream& out, std::ostream& err);
// Prints the level; changes it before unless `level` is empty.
int RunLogLevel(const std::string& level, const AdminFlags& admin, std::ostream& out,
                std::ostream& err);

}  // namespace gw
