// Candidates by hand, for tests and benchmarks of plug-ins.

#pragma once

#include <span>
#include <vector>

#include "inference/request.h"
#include "pool/candidates.h"
#include "scheduling/scorer.h"

namespace gw {

struct ViewOptions {
  float waiting = 0;
  float kv = 0;
  int32_t in_flight = 0;
  float foreign = 0;
  int64_t pending_tokens = 0;
  uint32_t hit_tokens = 0;
  LoraAffinity lora = LoraAffinity::kNotLora;
  bool fresh = true;
};

inline EndpointView View(const ViewOptions& options) {
  EndpointView view;
  view.waiting_requests = options.waiting;
  view.kv_cache_utilization_ratio = options.kv;
  view.foreign_requests = options.foreign;
  view.in_flight_requests = options.in_flight;
  view.pending_prompt_tokens = options.pending_tokens;
  view.prefix_hit_tokens = options.hit_tokens;
  view.prefix_hit_blocks = options.hit_tokens / 16;
  view.lora = options.lora;
  view.metrics_fresh = options.fresh;
  return view;
}

inline std::vector<EndpointView> Views(std::initializer_list<ViewOptions> all) {
  std::vector<EndpointView> views;
  for (const ViewOptions& options : all) views.push_back(View(options));
  return views;
}

inline std::vector<float> ScoresOf(const Scorer& scorer, std::span<const EndpointView> views,
                                   const InferenceRequest& request = {}) {
  std::vector<float> scores(views.size(), -1.0f);
  scorer.Score(request, Candidates(views), scores);
  return scores;
}

}  // namespace gw
