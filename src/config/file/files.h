// Which files a path means, and what is in them.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/file/load.h"

namespace gw::config {

// Hidden files and what editors leave behind while they save.
bool IsTemporaryName(std::string_view name);
// A name that a directory is searched for: *.yaml, *.yml or *.json, and not temporary.
bool IsConfigName(std::string_view name);

struct FileList {
  std::vector<std::string> files;    // in the order they are read, each once
  std::vector<std::string> folders;  // that were looked into, those below others too
  std::vector<SourceError> errors;   // paths that cannot be read at all
  std::vector<std::string> limits;   // names of the limits that were reached
};

// Resolves files and directories. A folder's own files come first, then those of the folders below
// it; names are ordered without what follows their last dot, so that qwen.yaml goes before its copy
// qwen-old.yaml.
FileList ListFiles(const std::vector<std::string>& paths, const FileLimits& limits);

// Reads a whole regular file; "-" is standard input, which may be anything. Nothing else that is
// not a regular file is opened: opening a FIFO or a device may block, or do something. An error
// text, empty on success.
std::string ReadFile(const std::string& path, size_t bytes_max, std::string* content);

}  // namespace gw::config
