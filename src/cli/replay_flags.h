// The flags of `penstock replay`.

#pragma once

#include <CLI/CLI.hpp>

#include "cli/replay.h"

namespace gw {

// `flags` outlives the app.
CLI::App* AddReplay(CLI::App& app, ReplayFlags& flags);

}  // namespace gw
