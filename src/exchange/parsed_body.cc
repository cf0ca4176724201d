#include "exchange/parsed_body.h"

namespace gw {
namespace {

constexpr size_t kKeptSaltBytes = 1024;
constexpr size_t kKeptBlocks = 512;

}  // namespace

void ParsedBody::Reset() {
  request.api = ApiKind::kOther;
  request.requested_model.clear();
  request.target_model.clear();
  request.model_value = {};
  request.stream = false;
  request.prompts = 1;
  request.samples = 1;
  request.prompt_chars = 0;
  request.prompt_tokens_estimate = 0;
  request.previous_response_id.clear();
  request.cache_salt.clear();
  request.prefix_blocks.clear();
  if (request.cache_salt.capacity() > kKeptSaltBytes) std::string().swap(request.cache_salt);
  if (request.prefix_blocks.capacity() > kKeptBlocks) {
    std::vector<uint64_t>().swap(request.prefix_blocks);
  }
  bytes = {};
  came = {};
  outcome.reset();
  codings.clear();
  names_model_field = false;
  model = nullptr;
  usage_ask.reset();
  names.Reset();
  messages.reset();
}

void ParsedBody::Read(const Asked& asked, size_t prompt_chars_max, InferenceParser* parser,
                      size_t message_bytes_max) {
  if (request.api != ApiKind::kOther) {
    if (message_bytes_max > 0) messages = std::make_unique<PromptMessages>();
    outcome = parser->Parse(bytes, prompt_chars_max, &request, messages.get(), message_bytes_max);
  } else {
    const http::HeaderField* type = asked.head->headers.Find("content-type");
    outcome = asked.head->headers.Count("content-type") > 1
                  ? ParseOutcome::kUnclearForm
                  : parser->FindModel(type != nullptr ? type->value : "", bytes, &request);
  }
  if (outcome == ParseOutcome::kOk) return;
  request.requested_model.clear();
  messages.reset();
}

bool ParsedBody::MapModel(const PoolEntry& pool, const std::optional<uint64_t>& sticky,
                          Random& random) {
  request.target_model = request.requested_model;
  if (request.requested_model.empty()) return true;
  if (const auto* rewrite = pool.rewrites.Find(request.requested_model)) {
    request.target_model =
        sticky ? ChooseTarget(*rewrite, *sticky, StickyOf::kRewrite, request.requested_model)
               : ChooseTarget(*rewrite, random);
  }
  if (pool.models.takes_any_name()) return true;
  model = pool.models.Find(request.target_model);
  if (model == nullptr) return false;
  request.target_model = sticky ? model->ChooseSticky(*sticky) : model->Choose(random);
  return true;
}

void ParsedBody::Splice(BodyEdit* edit, bool asks_usage) const {
  edit->Begin(bytes);
  if (request.target_model != request.requested_model) {
    edit->Replace(request.model_value, ModelText(request.model_place, request.target_model));
  }
  if (usage_ask && asks_usage) edit->Replace(usage_ask->at, usage_ask->text);
}

}  // namespace gw
