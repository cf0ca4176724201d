#include "config/file/load.h"

#include <utility>

#include "api/parse.h"
#include "base/log.h"
#include "config/file/files.h"
#include "config/file/yaml.h"

namespace gw::config {
namespace {

// FNV-1a: equal content must hash alike, nobody attacks it.
class Hasher {
 public:
  void Add(std::string_view text) {
    for (unsigned char c : text) value_ = (value_ ^ c) * 0x100000001b3;
    // Ends the text, so that "ab" + "c" differs from "a" + "bc".
    value_ = (value_ ^ 0x100) * 0x100000001b3;
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325;
};

void AddError(std::string error, LoadResult* result) {
  if (!result->error.empty()) result->error += "; ";
  result->error += error;
}

}  // namespace

LoadResult LoadQuietly(const std::vector<std::string>& paths, const FileLimits& limits) {
  LoadResult result;
  Hasher hasher;
  api::Parser parser;
  FileList list = ListFiles(paths, limits);
  for (std::string& error : list.errors) AddError(std::move(error), &result);
  size_t total_bytes = 0;
  std::string content;
  for (const std::string& file : list.files) {
    if (std::string error = ReadFile(file, limits.file_bytes_max, &content); !error.empty()) {
      AddError(std::move(error), &result);
      continue;
    }
    total_bytes += content.size();
    if (total_bytes > limits.total_bytes_max) {
      AddError("more than " + std::to_string(limits.total_bytes_max) +
                   " bytes in all files (total_bytes_max)",
               &result);
      break;
    }
    ++result.files;
    hasher.Add(file);
    hasher.Add(content);
    YamlDocuments yaml = ReadYaml(content, limits);
    if (!yaml.error.empty()) {
      AddError(file + ":" + yaml.error, &result);
      continue;
    }
    for (const api::Node& document : yaml.documents) parser.Add(document, file);
  }
  hasher.Add(result.error);
  result.hash = hasher.value();
  if (result.ok()) result.resources = parser.Take();
  return result;
}

void LogSkipped(const LoadResult& result) {
  if (result.resources.skipped.empty()) return;
  std::string kinds;
  for (const auto& [kind, count] : result.resources.skipped) {
    if (!kinds.empty()) kinds += ", ";
    kinds += kind;
    if (count > 1) kinds += " (" + std::to_string(count) + ")";
  }
  Log(LogLevel::kInfo, "Objects of kinds that Penstock does not read were skipped",
      {{"objects", result.resources.skipped_count()}, {"kinds", kinds}});
}

LoadResult LoadFiles(const std::vector<std::string>& paths, const FileLimits& limits) {
  LoadResult result = LoadQuietly(paths, limits);
  LogSkipped(result);
  return result;
}

}  // namespace gw::config
