// The flags of `penstock sim`.

#pragma once

#include <CLI/CLI.hpp>

#include "cli/sim.h"

namespace gw {

// `flags` outlives the app.
CLI::App* AddSim(CLI::App& app, SimFlags& flags);

}  // namespace gw
