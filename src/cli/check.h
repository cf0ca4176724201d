// `penstock check`: what would become of these files, or of a cluster's objects as they are now,
// without serving them and without writing anything.

#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "config/kubernetes/kubeconfig.h"
#include "translate/translate.h"

namespace gw {

// Prints each object with its conditions, then a summary, on `out`; what cannot be read, and what
// breaks the rules of its kind, on `err`. 0 if nothing is refused, 1 otherwise; 1 also for a
// warning if `strict`. The path "-" is standard input.
int RunCheck(const std::vector<std::string>& paths, const TranslateOptions& options, bool strict,
             std::ostream& out, std::ostream& err);
// The same of what an API server has.
int RunCheckOfCluster(const config::KubeconfigOptions& kubeconfig, const TranslateOptions& options,
                      bool strict, std::ostream& out, std::ostream& err);

}  // namespace gw
