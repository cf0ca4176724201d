#include "bench/replay/model.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "bench/load/request_body.h"

namespace gw::bench {
namespace {

sim::Dialect DialectOf(ApiKind api) {
  switch (api) {
    case ApiKind::kCompletions:
      return sim::Dialect::kCompletion;
    case ApiKind::kMessages:
      return sim::Dialect::kMessages;
    default:
      return sim::Dialect::kChat;
  }
}

}  // namespace

absl::StatusOr<FleetRequest> SimulatedModel::RequestOf(Ask* ask, std::string* text) {
  sim::Refusal refusal;
  ask->body.reserve(ask->body.size() + sim::RequestBodyReader::kPadding);
  if (!reader_.Read(DialectOf(ask->api), ask->body, &body_, &refusal)) {
    return absl::InvalidArgumentError(refusal.message);
  }
  // Whether or not the body says so: a trace's answers are as long as they were.
  body_.ignore_eos = true;
  body_.output_tokens_max = std::max(1u, ask->output_tokens);
  sim::PlanWork({.context_tokens_max = std::numeric_limits<uint32_t>::max(),
                 .block_tokens = block_tokens_,
                 .cache = name_},
                &body_, &work_);
  if (ask->wants_text) *text = work_.text;
  FleetRequest request;
  request.path = PathOf(ask->api);
  for (const auto& [name, value] : ask->fields) request.fields += name + ": " + value + "\r\n";
  request.body = std::move(ask->body);
  request.prompt_tokens = work_.prompt_tokens;
  request.output_tokens = work_.output_tokens;
  request.block_names = std::move(work_.block_names);
  return request;
}

}  // namespace gw::bench
