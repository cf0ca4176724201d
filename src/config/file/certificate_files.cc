#include "config/file/certificate_files.h"

#include <memory>
#include <utility>
#include <variant>

#include "config/file/files.h"

namespace gw::config {
namespace {

// "-" is a name like others here.
std::string PathOf(const std::string& manifest, const std::string& name) {
  if (name.starts_with('/')) return name;
  const size_t slash = manifest.rfind('/');
  return (slash == manifest.npos ? "./" : manifest.substr(0, slash + 1)) + name;
}

class Reader {
 public:
  explicit Reader(const FileLimits& limits) : limits_(limits) {}

  // The text; what is wrong is added to *fault.
  std::string Read(const std::string& path, std::string* fault) {
    const FileBeside& file = Find(path);
    if (!file.error.empty()) *fault += (fault->empty() ? "" : "; ") + file.error;
    return file.content;
  }
  std::vector<FileBeside> Take() { return std::move(read_); }

 private:
  const FileBeside& Find(const std::string& path) {
    for (const FileBeside& file : read_) {
      if (file.path == path) return file;
    }
    FileBeside& file = read_.emplace_back();
    file.path = path;
    file.error = ReadFile(path, limits_.file_bytes_max, &file.content);
    if (!file.error.empty()) file.content.clear();
    return file;
  }

  const FileLimits& limits_;
  std::vector<FileBeside> read_;
};

bool NamesFiles(const api::Gateway& gateway) {
  for (const api::Listener& listener : gateway.listeners) {
    if (listener.tls && listener.tls->files) return true;
  }
  return false;
}

}  // namespace

std::vector<FileBeside> ReadCertificateFiles(const FileLimits& limits,
                                             std::vector<api::ParsedObject>* objects) {
  Reader reader(limits);
  for (api::ParsedObject& parsed : *objects) {
    if (parsed.object == nullptr) continue;
    const auto* named = std::get_if<api::Gateway>(parsed.object.get());
    if (named == nullptr || !NamesFiles(*named)) continue;
    api::Gateway gateway = *named;
    for (api::Listener& listener : gateway.listeners) {
      if (!listener.tls || !listener.tls->files) continue;
      api::CertificateFiles& files = *listener.tls->files;
      files.certificate = PathOf(parsed.source.file, files.certificate);
      files.key = PathOf(parsed.source.file, files.key);
      files.certificate_pem = reader.Read(files.certificate, &files.fault);
      files.key_pem = reader.Read(files.key, &files.fault);
      files.read = true;
    }
    parsed.object = std::make_shared<const api::Object>(std::move(gateway));
  }
  return reader.Take();
}

}  // namespace gw::config
