// The ConfigSource of files: what is read of them (load.h), what of that is served (last_good.h),
// and when it is read again (file_watcher.h).

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config_source.h"
#include "config/file/file_watcher.h"
#include "config/file/last_good.h"

namespace gw::config {

// `judge` is that of ServedObjects.
std::unique_ptr<ConfigSource> NewFileSource(std::vector<std::string> paths, Judge judge,
                                            const WatchOptions& options = {});

}  // namespace gw::config
