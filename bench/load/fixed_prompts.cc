#include "bench/load/fixed_prompts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/random.h"
#include "base/status.h"
#include "bench/load/paced_workload.h"
#include "bench/load/prose.h"

namespace gw::bench {
namespace {

absl::Status Wrong(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

uint32_t LengthNear(uint32_t tokens, double ratio, Random& random) {
  const double mean = tokens;
  const uint32_t least = std::max(1u, static_cast<uint32_t>(std::floor(mean * (1 - ratio))));
  const uint32_t most = static_cast<uint32_t>(std::ceil(mean * (1 + ratio)));
  return least + static_cast<uint32_t>(random.Below(most - least + 1));
}

Ask AskOf(const FixedPromptsOptions& options, uint64_t number) {
  Random lengths(ProseId(options.seed, static_cast<uint64_t>(Stream::kLengths), number));
  Ask ask;
  ask.prompt_tokens = LengthNear(options.prompt_tokens, options.range_ratio, lengths);
  ask.output_tokens = LengthNear(options.output_tokens, options.range_ratio, lengths);
  const Part part{ProseId(options.seed, static_cast<uint64_t>(Stream::kQuestion), number),
                  ask.prompt_tokens};
  const Message message{Role::kUser, ProseOf({&part, 1})};
  ask.body = RequestBody(options.form, {&message, 1}, ask.output_tokens);
  return ask;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LoadWorkload>> NewFixedPrompts(const FixedPromptsOptions& options) {
  RETURN_IF_ERROR(CheckForm(options.form));
  if (options.prompt_tokens == 0 || options.prompt_tokens > kTokensMax) {
    return Wrong(fmt::format("--prompt-tokens: wanted 1 to {}", kTokensMax));
  }
  if (options.output_tokens == 0 || options.output_tokens > kTokensMax) {
    return Wrong(fmt::format("--output-tokens: wanted 1 to {}", kTokensMax));
  }
  if (!(options.range_ratio >= 0 && options.range_ratio < 1)) {
    return Wrong("--range-ratio: wanted 0 or more, and below 1");
  }
  ASSIGN_OR_RETURN(
      std::unique_ptr<Pace> pace,
      NewPace(options.pace, ProseId(options.seed, static_cast<uint64_t>(Stream::kPace), 0)));
  std::string name = fmt::format("random, {} prompt and {} output tokens", options.prompt_tokens,
                                 options.output_tokens);
  if (options.range_ratio > 0) name += fmt::format(" within {:g} %", options.range_ratio * 100);
  return NewPacedWorkload(
      std::move(pace), options.form.api,
      [options](uint64_t number) { return AskOf(options, number); }, std::move(name));
}

}  // namespace gw::bench
