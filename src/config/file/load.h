// One pass over all files, without a line in the log.

#pragma once

#include <string>
#include <vector>

#include "config/file/file_source.h"

namespace gw::config {

LoadResult LoadQuietly(const std::vector<std::string>& paths, const FileLimits& limits);

// Says in the log which objects were passed over because their kinds are not ours.
void LogSkipped(const LoadResult& result);

}  // namespace gw::config
