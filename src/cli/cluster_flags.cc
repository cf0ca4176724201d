#include "cli/cluster_flags.h"

namespace gw {
namespace {

// The picker of Alibaba Cloud's product, whose users' pools name it: what it does is built in.
constexpr char kKnownPicker[] = "inference-gateway-ext-proc";

}  // namespace

void DecideAsOnACluster(TranslateOptions* options) {
  options->only_controller = false;
  options->missing_picker = MissingPicker::kBuiltInOfOldGroup;
  if (options->builtin_pickers.empty()) options->builtin_pickers = {kKnownPicker};
}

}  // namespace gw
