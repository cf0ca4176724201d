// `penstock serve`: the gateway on files, or on the objects of a cluster.

#pragma once

#include <string>
#include <vector>

#include "base/log.h"
#include "config/file/file_limits.h"
#include "config/kubernetes/kubeconfig.h"
#include "server/server.h"

namespace gw {

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kJson;
  std::string file;  // empty: standard error
};

struct FileOptions {
  std::vector<std::string> paths;  // files and directories of objects
  config::FileLimits limits;
};

struct ObjectOptions {
  FileOptions files;
  bool kubernetes = false;  // from an API server, and not from files
  config::KubeconfigOptions kubeconfig;
  bool write_status = true;
  std::string lease;  // "namespace/name", or a name; empty: the default
};

// 0 after a drain, 1 if it could not start.
int RunServe(const ServerOptions& options, const ObjectOptions& objects, const LogOptions& log);

}  // namespace gw
