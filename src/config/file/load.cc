#include "config/file/load.h"

#include <utility>

#include "api/parse.h"
#include "base/log.h"
#include "config/file/certificate_files.h"
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

// The name of a limit that a message ends with, "(limit NAME)", if it does.
void NoteLimit(const std::string& message, LoadResult* result) {
  constexpr std::string_view kLimit = "(limit ";
  const size_t at = message.rfind(kLimit);
  if (at == std::string::npos || !message.ends_with(')')) return;
  const size_t begin = at + kLimit.size();
  result->limits.push_back(message.substr(begin, message.size() - 1 - begin));
}

void AddError(const std::string& place, std::string message, LoadResult* result) {
  NoteLimit(message, result);
  result->errors.push_back({place, std::move(message)});
}

// Reads one file; false if no more may be read.
bool ReadOne(const std::string& file, const FileLimits& limits, std::string* content,
             size_t* total_bytes, LoadResult* result) {
  if (std::string error = ReadFile(file, limits.file_bytes_max, content); !error.empty()) {
    AddError(file, std::move(error), result);
    return true;
  }
  *total_bytes += content->size();
  if (*total_bytes <= limits.total_bytes_max) {
    result->files.push_back(file);
    return true;
  }
  AddError("",
           "more than " + std::to_string(limits.total_bytes_max) +
               " bytes in all files (limit config_total_bytes)",
           result);
  return false;
}

}  // namespace

LoadResult LoadQuietly(const std::vector<std::string>& paths, const FileLimits& limits) {
  LoadResult result;
  result.paths = paths;
  Hasher hasher;
  api::Parser parser;
  FileList list = ListFiles(paths, limits);
  for (SourceError& error : list.errors) {
    AddError(error.place, std::move(error.message), &result);
  }
  result.folders = std::move(list.folders);
  size_t total_bytes = 0;
  std::string content;
  for (const std::string& file : list.files) {
    const size_t files_before = result.files.size();
    if (!ReadOne(file, limits, &content, &total_bytes, &result)) break;
    if (result.files.size() == files_before) continue;
    hasher.Add(file);
    hasher.Add(content);
    YamlDocuments yaml = ReadYaml(content, limits);
    if (!yaml.error.empty()) {
      result.files.pop_back();
      AddError(file, (file == "-" ? "standard input" : file) + ":" + yaml.error, &result);
      continue;
    }
    if (yaml.documents.empty()) result.empty.push_back(file);
    const std::string name = file == "-" ? "standard input" : file;
    for (const api::Node& document : yaml.documents) parser.Add(document, name);
  }
  result.parsed = parser.Take();
  for (const FileBeside& file : ReadCertificateFiles(limits, &result.parsed.objects)) {
    hasher.Add(file.path);
    hasher.Add(file.error.empty() ? file.content : file.error);
    NoteLimit(file.error, &result);
    result.beside.push_back(file.path);
  }
  hasher.Add(result.error());
  result.hash = hasher.value();
  return result;
}

void LogSkipped(const LoadResult& result) {
  const auto& skipped = result.parsed.skipped;
  if (skipped.empty()) return;
  std::string kinds;
  size_t objects = 0;
  for (const auto& [kind, count] : skipped) {
    objects += static_cast<size_t>(count);
    if (!kinds.empty()) kinds += ", ";
    kinds += kind;
    if (count > 1) kinds += " (" + std::to_string(count) + ")";
  }
  Log(LogLevel::kInfo, "Objects of kinds that Penstock does not read were skipped",
      {{"objects", objects}, {"kinds", kinds}});
}

std::string LoadResult::error() const {
  std::string out;
  for (const SourceError& each : errors) out += (out.empty() ? "" : "; ") + each.message;
  return out;
}

LoadResult LoadFiles(const std::vector<std::string>& paths, const FileLimits& limits) {
  LoadResult result = LoadQuietly(paths, limits);
  LogSkipped(result);
  return result;
}

}  // namespace gw::config
