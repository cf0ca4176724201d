// The flags of `penstock bench`.

#pragma once

#include <CLI/CLI.hpp>

#include "cli/bench.h"

namespace gw {

// `flags` outlives the app.
CLI::App* AddBench(CLI::App& app, BenchFlags& flags);

}  // namespace gw
