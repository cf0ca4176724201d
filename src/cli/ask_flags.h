// The flags of the commands that ask a running gateway.

#pragma once

#include <CLI/CLI.hpp>
#include <optional>

#include "cli/ask.h"
#include "cli/top/top.h"

namespace gw {

// get, describe, explain, release and top, with their flags. Outlives `app`.
class AskCommands {
 public:
  explicit AskCommands(CLI::App& app);

  // After the arguments were read: the exit status, if it was one of these commands.
  std::optional<int> Run() const;

 private:
  GetFlags get_flags_;
  ExplainFlags explain_flags_;
  ReleaseFlags release_flags_;
  TopFlags top_flags_;
  const CLI::App* get_;
  const CLI::App* describe_;
  const CLI::App* explain_;
  const CLI::App* release_;
  const CLI::App* top_;
};

}  // namespace gw
