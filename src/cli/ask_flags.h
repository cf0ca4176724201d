// The flags of the commands that ask a running gateway.

#pragma once

#include <CLI/CLI.hpp>

#include "cli/ask.h"

namespace gw {

// `flags` outlive `app`.
CLI::App* AddGet(CLI::App& app, GetFlags& flags);
CLI::App* AddDescribe(CLI::App& app, GetFlags& flags);
CLI::App* AddExplain(CLI::App& app, ExplainFlags& flags);
CLI::App* AddRelease(CLI::App& app, ReleaseFlags& flags);

}  // namespace gw
