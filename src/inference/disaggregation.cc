#include "inference/disaggregation.h"

#include <algorithm>

#include "inference/json_bytes.h"
#include "inference/parser.h"

namespace gw {
namespace {

// Beyond this the model server refuses the request anyway; it bounds what is spliced in.
constexpr uint64_t kSequencesMax = 4096;

constexpr std::string_view kPrefillParams =
    R"({"do_remote_decode": true, "do_remote_prefill": false, "remote_engine_id": null, )"
    R"("remote_block_ids": null, "remote_host": null, "remote_port": null})";

// True if the prompt is written as a batch, even of one.
bool IsBatch(std::string_view body) {
  internal::JsonItems items(body);
  std::string_view value;
  bool batch = false;
  while (items.Next(&value)) {
    if (!internal::SameString(items.raw_key(), "prompt")) continue;
    std::string_view first;
    // A list of numbers is one prompt, as tokens; strings or lists are prompts.
    batch = value.starts_with('[') && internal::JsonItems(value).Next(&first) &&
            (first.starts_with('"') || first.starts_with('['));
  }
  return batch;
}

// What `write` gives, once or as a list.
template <typename Write>
std::string Repeat(bool list, uint64_t count, Write write) {
  if (!list) return write();
  std::string text = "[";
  for (uint64_t i = 0; i < count; ++i) {
    if (i > 0) text += ", ";
    text += write();
  }
  return text + "]";
}

}  // namespace

bool CanDisaggregate(ApiKind api) {
  return api == ApiKind::kChatCompletions || api == ApiKind::kCompletions;
}

bool IsOneSequence(const InferenceRequest& request) {
  return request.prompts == 1 && request.samples == 1;
}

void SetBootstrap(std::string_view body, const InferenceRequest& request, std::string_view host,
                  uint16_t port, Random& random, BodyEdit* edit) {
  const uint64_t samples = std::min<uint64_t>(request.samples, kSequencesMax);
  const bool batch = request.api == ApiKind::kCompletions && IsBatch(body);
  const uint64_t prompts = batch ? std::clamp<uint64_t>(request.prompts, 1, kSequencesMax) : 1;
  const bool list = batch || samples > 1;
  const uint64_t count = std::min(prompts * samples, kSequencesMax);
  const std::string hosts = Repeat(list, count, [&] { return QuoteJson(host); });
  const std::string ports = Repeat(list, count, [&] { return std::to_string(port); });
  const std::string rooms = Repeat(list, count, [&] { return std::to_string(random.Next() >> 1); });
  const BodyEdit::Member members[] = {
      {"bootstrap_host", hosts}, {"bootstrap_port", ports}, {"bootstrap_room", rooms}};
  edit->Set(members);
}

void SetPrefillOnly(BodyEdit* edit) {
  static constexpr BodyEdit::Member kMembers[] = {
      {"max_tokens", "1"},       {"max_completion_tokens", "1", true},
      {"min_tokens", "1", true}, {"stream", "false"},
      {"stream_options", ""},    {"kv_transfer_params", kPrefillParams},
  };
  edit->Set(kMembers);
}

void SetKvTransferParams(std::string_view params, BodyEdit* edit) {
  const BodyEdit::Member members[] = {{"kv_transfer_params", params}};
  edit->Set(members);
}

void RemoveTransferMembers(BodyEdit* edit) {
  static constexpr BodyEdit::Member kMembers[] = {
      {"kv_transfer_params", ""},
      {"bootstrap_host", ""},
      {"bootstrap_port", ""},
      {"bootstrap_room", ""},
  };
  edit->Set(kMembers);
}

std::optional<std::string_view> FindKvTransferParams(std::string_view response) {
  internal::JsonItems items(response);
  std::string_view value;
  std::optional<std::string_view> params;
  while (items.Next(&value)) {
    if (!internal::SameString(items.raw_key(), "kv_transfer_params")) continue;
    params.reset();
    if (value.starts_with('{')) params = value;
  }
  return params;
}

}  // namespace gw
