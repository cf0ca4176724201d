// `penstock get`, `penstock describe` and `penstock explain`: ask a running gateway through its
// admin port.

#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace gw {

struct GetFlags {
  std::string admin;  // ADDR:PORT
  std::string kind;   // "pools", "pool/qwen"
  std::vector<std::string> names = {};
  std::string ns = {};
  std::string output = {};  // "", "wide", "json", "yaml", "describe"
  bool watch = false;       // until interrupted
};

struct ExplainFlags {
  std::string admin;
  std::string request_id = {};  // one of these three
  bool last = false;
  std::string pool = {};
  std::string output = {};  // "" or "json"
};

// Print what the gateway says. 0, or 1 with a message on `err`.
int RunGet(const GetFlags& flags, std::ostream& out, std::ostream& err);
int RunExplain(const ExplainFlags& flags, std::ostream& out, std::ostream& err);

}  // namespace gw
