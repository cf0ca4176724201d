// The limits of what is read from files, each with its name.

#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace gw::config {

// What is refused because nobody means it. Reaching one fails the file, or the files that are too
// many, and names the limit.
struct FileLimits {
  size_t files_max = 4096;
  size_t folders_max = 4096;
  size_t file_bytes_max = 16u << 20;
  size_t total_bytes_max = 64u << 20;
  size_t documents_max = 65536;           // per file
  size_t depth_max = 64;                  // of nested maps and lists
  size_t nodes_max = 2'000'000;           // per file, aliases counted as often as they are used
  size_t expanded_bytes_max = 64u << 20;  // of text per file, aliases counted likewise
};

struct NamedFileLimit {
  const char* name;
  size_t FileLimits::* field;
  bool is_bytes;
};
// As they are called by --limit and counted in penstock_limit_reached_total.
inline constexpr NamedFileLimit kFileLimits[] = {
    {"config_files", &FileLimits::files_max, false},
    {"config_folders", &FileLimits::folders_max, false},
    {"config_file_bytes", &FileLimits::file_bytes_max, true},
    {"config_total_bytes", &FileLimits::total_bytes_max, true},
    {"config_documents", &FileLimits::documents_max, false},
    {"config_depth", &FileLimits::depth_max, false},
    {"config_nodes", &FileLimits::nodes_max, false},
    {"config_expanded_bytes", &FileLimits::expanded_bytes_max, true},
};

}  // namespace gw::config
