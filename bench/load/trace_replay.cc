#include "bench/load/trace_replay.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/status.h"
#include "bench/load/paced_workload.h"
#include "bench/load/prose.h"
#include "bench/load/trace_lines.h"

namespace gw::bench {
namespace {

absl::Status Wrong(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

absl::Status ReadTokens(const simdjson::dom::object& object, const char* field, uint32_t* tokens) {
  uint64_t value = 0;
  if (object[field].get(value) || value > kTokensMax) {
    return Wrong(fmt::format("{}: wanted a number from 0 to {}", field, kTokensMax));
  }
  // Nothing can be asked with an empty prompt, or for no token.
  *tokens = std::max(1u, static_cast<uint32_t>(value));
  return absl::OkStatus();
}

absl::Status ReadRequest(const simdjson::dom::element& root, TraceRequest* request) {
  simdjson::dom::object object;
  if (root.get(object)) return Wrong("wanted a JSON object");
  double at_ms = 0;
  if (object["timestamp"].get(at_ms) || at_ms < 0 || at_ms > kTraceSecondsMax * 1e3) {
    return Wrong("timestamp: wanted milliseconds from 0 on");
  }
  request->at = Duration(static_cast<int64_t>(at_ms * 1e6));
  RETURN_IF_ERROR(ReadTokens(object, "input_length", &request->prompt_tokens));
  RETURN_IF_ERROR(ReadTokens(object, "output_length", &request->output_tokens));
  simdjson::dom::element ids;
  if (object["hash_ids"].get(ids)) return absl::OkStatus();
  simdjson::dom::array list;
  if (ids.get(list)) return Wrong("hash_ids: wanted a list");
  for (const simdjson::dom::element id : list) {
    uint64_t value = 0;
    if (id.get(value)) return Wrong("hash_ids: wanted whole numbers from 0 on");
    request->block_ids.push_back(value);
  }
  return absl::OkStatus();
}

std::string TextOf(const TraceRequest& request, uint64_t number,
                   const TraceReplayOptions& options) {
  if (!request.text.empty()) return request.text;
  std::vector<Part> parts;
  uint32_t left = request.prompt_tokens;
  for (const uint64_t id : request.block_ids) {
    if (left == 0) break;
    const uint32_t tokens = std::min(left, options.block_tokens);
    parts.push_back({ProseId(options.seed, static_cast<uint64_t>(Stream::kBlock), id), tokens});
    left -= tokens;
  }
  parts.push_back({ProseId(options.seed, static_cast<uint64_t>(Stream::kQuestion), number), left});
  return ProseOf(parts);
}

Ask AskOf(const TraceRequest& request, uint64_t number, const TraceReplayOptions& options) {
  const Message message{Role::kUser, TextOf(request, number, options)};
  Ask ask;
  ask.body = RequestBody(options.form, {&message, 1}, request.output_tokens);
  ask.session = request.session;
  ask.turn = request.turn;
  ask.prompt_tokens = request.prompt_tokens;
  ask.output_tokens = request.output_tokens;
  return ask;
}

}  // namespace

absl::StatusOr<std::vector<TraceRequest>> ReadTrace(std::istream& in,
                                                    std::optional<uint64_t> count) {
  std::vector<TraceRequest> trace;
  simdjson::dom::parser parser;
  RETURN_IF_ERROR(ReadTraceLines(in, count, [&](const std::string& line) -> absl::Status {
    simdjson::dom::element root;
    if (parser.parse(line).get(root)) return Wrong("wanted a JSON object");
    return ReadRequest(root, &trace.emplace_back());
  }));
  OrderTrace(&trace);
  return trace;
}

void OrderTrace(std::vector<TraceRequest>* trace) {
  if (trace->empty()) return;
  std::stable_sort(trace->begin(), trace->end(),
                   [](const TraceRequest& a, const TraceRequest& b) { return a.at < b.at; });
  const Duration first = trace->front().at;
  for (TraceRequest& request : *trace) request.at -= first;
}

absl::StatusOr<std::unique_ptr<LoadWorkload>> NewTraceReplay(std::vector<TraceRequest> trace,
                                                             const TraceReplayOptions& options) {
  RETURN_IF_ERROR(CheckForm(options.form));
  if (options.block_tokens == 0) return Wrong("--block-tokens: wanted a number above 0");
  if (!(options.speed > 0) || std::isinf(options.speed)) {
    return Wrong("--speed: wanted a number above 0");
  }
  std::vector<Duration> times;
  times.reserve(trace.size());
  for (const TraceRequest& request : trace) {
    const double seconds = ToSeconds(request.at) / options.speed;
    if (seconds > kTraceSecondsMax)
      return Wrong("--speed: so low that the trace would take decades");
    times.push_back(Duration(static_cast<int64_t>(seconds * 1e9)));
  }
  std::string name = fmt::format("trace, {} requests", trace.size());
  std::unique_ptr<Pace> pace =
      NewListedPace(std::move(times), fmt::format("{:g} times as fast", options.speed));
  return NewPacedWorkload(
      std::move(pace), options.form.api,
      [options, trace = std::move(trace)](uint64_t number) {
        return AskOf(trace[number], number, options);
      },
      std::move(name));
}

}  // namespace gw::bench
