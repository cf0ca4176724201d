// What an InferencePool's annotations say about its queue.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/inference.h"
#include "flowcontrol/request_queue.h"

namespace gw::internal {

struct QueueSettings {
  std::optional<QueueOptions> options;  // nullopt: requests do not wait
  std::optional<int64_t> waiting_max;   // of all priorities together; nullopt: no limit
  // What is wrong: annotation, why.
  std::vector<std::pair<std::string, std::string>> errors;
};

bool IsQueueAnnotation(std::string_view key);
QueueSettings ReadQueueSettings(const api::InferencePool& pool);

}  // namespace gw::internal
