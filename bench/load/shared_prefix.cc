#include "bench/load/shared_prefix.h"

#include <fmt/format.h>

#include <numeric>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "bench/load/paced_workload.h"
#include "bench/load/prose.h"

namespace gw::bench {
namespace {

constexpr uint32_t kPromptsMax = 10'000'000;

absl::Status Wrong(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

absl::Status Check(const SharedPrefixOptions& options) {
  RETURN_IF_ERROR(CheckForm(options.form));
  if (options.groups == 0) return Wrong("--groups: wanted a number above 0");
  if (options.prompts_per_group == 0) return Wrong("--prompts-per-group: wanted a number above 0");
  if (uint64_t{options.groups} * options.prompts_per_group > kPromptsMax) {
    return Wrong(fmt::format("--groups: wanted at most {} prompts in all", kPromptsMax));
  }
  if (options.system_tokens > kTokensMax) {
    return Wrong(fmt::format("--system-tokens: wanted at most {}", kTokensMax));
  }
  if (options.question_tokens == 0 || options.question_tokens > kTokensMax) {
    return Wrong(fmt::format("--question-tokens: wanted 1 to {}", kTokensMax));
  }
  if (options.output_tokens == 0 || options.output_tokens > kTokensMax) {
    return Wrong(fmt::format("--output-tokens: wanted 1 to {}", kTokensMax));
  }
  return absl::OkStatus();
}

uint64_t IdOf(const SharedPrefixOptions& options, Stream kind, uint64_t number) {
  return ProseId(options.seed, static_cast<uint64_t>(kind), number);
}

// Fisher and Yates.
std::vector<uint32_t> OrderOf(const SharedPrefixOptions& options) {
  std::vector<uint32_t> order(options.groups * options.prompts_per_group);
  std::iota(order.begin(), order.end(), 0);
  Random random(IdOf(options, Stream::kOrder, 0));
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
  return order;
}

Ask AskOf(const SharedPrefixOptions& options, uint32_t prompt) {
  const uint32_t group = prompt / options.prompts_per_group;
  const Part system{IdOf(options, Stream::kSystem, group), options.system_tokens};
  const Part question{IdOf(options, Stream::kQuestion, prompt), options.question_tokens};
  std::vector<Message> messages;
  if (system.tokens > 0) messages.push_back({Role::kSystem, ProseOf({&system, 1})});
  messages.push_back({Role::kUser, ProseOf({&question, 1})});
  Ask ask;
  ask.body = RequestBody(options.form, messages, options.output_tokens);
  ask.session = "group-" + std::to_string(group);
  ask.prompt_tokens = system.tokens + question.tokens;
  ask.output_tokens = options.output_tokens;
  return ask;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LoadWorkload>> NewSharedPrefix(const SharedPrefixOptions& options) {
  RETURN_IF_ERROR(Check(options));
  ASSIGN_OR_RETURN(std::unique_ptr<Pace> pace,
                   NewPace(options.pace, IdOf(options, Stream::kPace, 0)));
  return NewPacedWorkload(
      std::move(pace), options.form.api,
      [options, order = OrderOf(options)](uint64_t number) {
        return AskOf(options, order[number % order.size()]);
      },
      fmt::format("shared-prefix, {} groups of {} prompts, {} + {} prompt and {} output tokens",
                  options.groups, options.prompts_per_group, options.system_tokens,
                  options.question_tokens, options.output_tokens));
}

}  // namespace gw::bench
