// The files with certificates that listeners name (api::CertificateFiles).

#pragma once

#include <string>
#include <vector>

#include "api/object.h"
#include "config/file/file_limits.h"

namespace gw::config {

struct FileBeside {
  std::string path;
  std::string content;
  std::string error;  // why it cannot be read, with its path; "" if it can
};

// Reads those that the Gateways among these objects name and puts into the Gateways what is in
// them. A path is relative to the folder of its manifest. Each file once.
std::vector<FileBeside> ReadCertificateFiles(const FileLimits& limits,
                                             std::vector<api::ParsedObject>* objects);

}  // namespace gw::config
