// Which files a path means, and what is in them.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/file/file_source.h"

namespace gw::config {

// Hidden files and what editors leave behind while they save.
bool IsTemporaryName(std::string_view name);
// A name that a directory is searched for: *.yaml, *.yml or *.json, and not temporary.
bool IsConfigName(std::string_view name);

struct FileList {
  std::vector<std::string> files;   // in the order they are read, each once
  std::vector<std::string> errors;  // paths that cannot be read at all
};

// Resolves files and directories.
FileList ListFiles(const std::vector<std::string>& paths, const FileLimits& limits);

// Reads a whole regular file. An error text, empty on success.
std::string ReadFile(const std::string& path, size_t bytes_max, std::string* content);

}  // namespace gw::config
