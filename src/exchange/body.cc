// Where a request goes, and what of its body decides that: rule, pool, model.

#include <algorithm>

#include "exchange/exchange.h"

namespace gw {
namespace {

// What may be written as the value of a header field.
bool IsFieldValue(std::string_view text) {
  return !text.empty() && text.front() != ' ' && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != '\x7f'; });
}

void HashPieces(const PromptText& prompt, uint64_t seed, const PrefixOptions& options,
                std::vector<uint64_t>* hashes) {
  BlockHasher hasher(prompt.size(), seed, options, hashes);
  prompt.ForEachPiece([&hasher](std::string_view piece) { hasher.Add(piece); });
}

}  // namespace

Step Exchange::RouteByHead() {
  if (routed_.begins_at_pool()) {
    if (Refusal refusal = routed_.FindGivenPool()) return Reject(std::move(refusal));
    if (parsed_.request.api == ApiKind::kModels) AskAsAnyOther();  // no route, no rules to list
    return {Step::Kind::kReadBody, Rejection::kNone};
  }
  if (Refusal refusal = routed_.FindListener(asked_)) return Reject(std::move(refusal));
  const bool lists = parsed_.request.api == ApiKind::kModels;
  const bool has_body = asked_.head->framing != http::BodyFraming::kNone;
  if (routed_.rule_depends_on_model() && has_body && !lists) {
    return {Step::Kind::kReadBody, Rejection::kNone};
  }
  RouteModel model;
  if (lists) model.is = RouteModel::Is::kAny;
  if (Refusal refusal = routed_.FindRule(asked_, model)) return Reject(std::move(refusal));
  if (const Step step = AnswerByFilter(); step.kind == Step::Kind::kAnswer) return step;
  if (lists && routed_.ListsModels(asked_.target.path)) {
    if (Refusal refusal = CheckKeyOfList()) return Reject(std::move(refusal));
    return {Step::Kind::kReadBody, Rejection::kNone};
  }
  if (Refusal refusal = CheckKey()) return Reject(std::move(refusal));
  if (lists) AskAsAnyOther();
  if (parsed_.request.api == ApiKind::kOther) FindHome(ResponseOfPath(asked_.target.path));
  // A body may say which response it goes on from, and so which pool has that.
  const bool goes_on =
      parsed_.request.api == ApiKind::kResponses && routed_.rule()->destinations.size() > 1;
  if (has_body && (routed_.pool_depends_on_model() || goes_on)) {
    return {Step::Kind::kReadBody, Rejection::kNone};
  }
  return FindPool();
}

// Behind the filters: the browser's question whether a page may ask carries no key.
Refusal Exchange::CheckKey() { return authorized_.Check(routed_.rule()->api_keys, *asked_.head); }

// The rules that are listed may want keys of their own, or none: those stay that this client may
// ask. A refusal if there is none.
Refusal Exchange::CheckKeyOfList() {
  Refusal refusal;
  routed_.KeepModelRules([&](const RouteRule& rule) {
    Authorized tried;
    Refusal refused = tried.Check(rule.api_keys, *asked_.head);
    if (refused) {
      refusal = std::move(refused);
      return false;
    }
    if (tried.checked()) authorized_ = std::move(tried);
    return true;
  });
  return routed_.model_rules().empty() ? refusal : Refusal();
}

// A question for models that an endpoint answers, as it does any other request.
void Exchange::AskAsAnyOther() {
  parsed_.request.api = ApiKind::kOther;
  parsed_.request.requested_model.clear();
}

Step Exchange::FindPool() {
  const bool understood = parsed_.request.api != ApiKind::kOther;
  if (session_policy() != nullptr) FindSession();
  FindSticky();
  Refusal refusal = routed_.FindPool(
      {parsed_.request.requested_model, understood, session_.given, home_.get(), sticky_.value},
      env_.random);
  if (routed_.pool() != nullptr) {
    released_.TakeRoute(routed_.rule()->release_split, routed_.destination());
  }
  if (refusal) return Reject(std::move(refusal));
  if (routed_.pool()->pool.kind == Pool::Kind::kService) parsed_.request.api = ApiKind::kOther;
  return AnswerByFilter();
}

// kAnswer if a filter of the rule, or of the backendRef that was found, answers; else kReadBody.
Step Exchange::AnswerByFilter() {
  const FilterChain filters = routed_.filters();
  if (filters.cors() != nullptr && IsPreflight(*asked_.head)) {
    filter_answer_ = {};
    return {Step::Kind::kAnswer, Rejection::kNone};
  }
  const Redirect* const redirect = filters.redirect();
  if (redirect == nullptr) return {Step::Kind::kReadBody, Rejection::kNone};
  filter_answer_.status = redirect->status;
  filter_answer_.location = LocationOf(*redirect, {routed_.scheme(), asked_.head->authority,
                                                   routed_.listener_port(), asked_.target});
  return {Step::Kind::kAnswer, Rejection::kNone};
}

bool Exchange::reads_body() const {
  if (parsed_.request.api == ApiKind::kModels) return false;
  const PoolEntry* const pool = routed_.pool();
  if (pool == nullptr) return true;
  if (pool->pool.kind == Pool::Kind::kService) return false;
  return parsed_.request.api != ApiKind::kOther || !pool->models.takes_any_name() ||
         !pool->rewrites.empty();
}

Step Exchange::ReadCodings() {
  if (!reads_body()) return {Step::Kind::kReadBody, Rejection::kNone};
  http::ContentCodings codings = http::ReadContentEncoding(asked_.head->headers);
  if (!codings.unknown.empty()) {
    detail_ = "Content-Encoding `" + codings.unknown + "` is not supported here; send one of ";
    detail_ += http::kContentCodings;
    return Reject(Rejection::kUnknownEncoding);
  }
  parsed_.codings = std::move(codings.applied);
  return {Step::Kind::kReadBody, Rejection::kNone};
}

Step Exchange::OnRequestBody(std::string_view body, TimePoint now) {
  parsed_.bytes = body;
  parsed_.came = now;
  if (parsed_.request.api == ApiKind::kModels) {
    if (Refusal refusal = ReserveTokens(now)) return Reject(std::move(refusal));
    return {Step::Kind::kListModels, Rejection::kNone};
  }
  if (reads_body()) {
    const size_t chars_max =
        env_.log_prompt_blocks ? PrefixOptions::kNoLimit : routed_.PromptCharsMax();
    const size_t traced_bytes = traced_.context.sampled ? env_.tracing->prompt_bytes_max : 0;
    parsed_.Read(asked_, chars_max, &env_.parser, traced_bytes);
    if (parsed_.messages != nullptr && parsed_.messages->cut_bytes > 0) {
      env_.metrics.CountLimit("trace_prompt_bytes");
    }
  }
  FindHome(parsed_.request.previous_response_id);
  if (const Step step = RouteByBody(); step.kind != Step::Kind::kReadBody) return step;
  if (reads_body()) {
    if (const Step step = TakeBody(); step.kind == Step::Kind::kRespond) return step;
  }
  if (Refusal refusal = ReserveTokens(now)) return Reject(std::move(refusal));
  parsed_.Splice(&tried_->body);
  return Admit(now);
}

// Before anything is done for it: a limit that counted afterwards would let a burst through.
Refusal Exchange::ReserveTokens(TimePoint now) {
  const bool understood =
      parsed_.request.api != ApiKind::kOther && parsed_.request.api != ApiKind::kModels;
  const uint64_t tokens = understood ? parsed_.request.prompt_tokens_estimate : 0;
  return authorized_.Reserve(static_cast<int64_t>(tokens), now);
}

// What could not be found by the head alone.
Step Exchange::RouteByBody() {
  if (routed_.rule() == nullptr && routed_.pool() == nullptr) {
    RouteModel model;
    parsed_.names_model_field = !parsed_.request.requested_model.empty();
    if (parsed_.names_model_field) {
      model = {RouteModel::Is::kNamed, parsed_.request.requested_model};
    }
    // Of what cannot be read the client must not say what it is.
    if (parsed_.outcome != ParseOutcome::kOk) model = {RouteModel::Is::kNamed, ""};
    if (Refusal refusal = routed_.FindRule(asked_, model)) {
      const bool unread =
          parsed_.outcome != ParseOutcome::kOk && parsed_.request.api != ApiKind::kOther;
      return unread ? RefuseBody() : Reject(std::move(refusal));
    }
    if (const Step step = AnswerByFilter(); step.kind == Step::Kind::kAnswer) return step;
    if (Refusal refusal = CheckKey()) return Reject(std::move(refusal));
  }
  return routed_.pool() == nullptr ? FindPool() : Step{Step::Kind::kReadBody};
}

Step Exchange::RefuseBody() {
  const ParseOutcome outcome = *parsed_.outcome;
  detail_ = MessageOf(outcome);
  if (outcome == ParseOutcome::kModelTooLong) CountLimit("model_name_bytes");
  if (outcome == ParseOutcome::kTooDeep) {
    CountLimit("json_depth");
    detail_ = "the request body is nested deeper than " + std::to_string(env_.parser.depth_max()) +
              " levels (limit json_depth)";
  }
  if (outcome == ParseOutcome::kBadField) {
    detail_ += ": ";
    detail_ += env_.parser.detail();
  }
  return Reject(Rejection::kMalformedBody);
}

// What the pool makes of a body that was read.
Step Exchange::TakeBody() {
  if (*parsed_.outcome != ParseOutcome::kOk) return RefuseBody();
  const bool understood = parsed_.request.api != ApiKind::kOther;
  if (!routed_.pool()->models.takes_any_name() && parsed_.request.requested_model.empty()) {
    if (!understood) return {Step::Kind::kForward, Rejection::kNone};
    detail_ = "the request body has no \"model\"";
    return Reject(Rejection::kMalformedBody);
  }
  if (!parsed_.MapModel(*routed_.pool(), sticky_.value, env_.random)) return RefuseModel();
  TakeModelVersion();
  if (understood && routed_.pool()->asks_stream_usage)
    parsed_.usage_ask = AskForUsage(parsed_.bytes, parsed_.request);
  if (understood) HashPrompt();
  env_.parser.DropPrompt();
  return {Step::Kind::kForward, Rejection::kNone};
}

// The names of the prompt's blocks, for who wants them: the prefix index, the log.
void Exchange::HashPrompt() {
  if (!routed_.pool()->uses_prefix && !env_.log_prompt_blocks) return;
  const PromptText& prompt = env_.parser.prompt();
  const PoolEntry& pool = *routed_.pool();
  const uint64_t seed =
      PrefixSeed(parsed_.request.target_model, parsed_.request.cache_salt) ^ env_.prefix_key;
  std::vector<uint64_t>* blocks = &parsed_.request.prefix_blocks;
  if (pool.uses_prefix) {
    HashPieces(prompt, seed, pool.prefix, blocks);
    parsed_.hashed_block_chars = pool.prefix.block_chars;
    env_.index.Prefetch(*blocks);
  }
  if (!env_.log_prompt_blocks) return;
  const PrefixOptions named = NamedBlocks(pool.prefix.block_chars);
  if (blocks->size() < std::min(prompt.size() / named.block_chars, named.blocks_max)) {
    blocks = &env_.named_blocks;
    HashPieces(prompt, seed, named, blocks);
  }
  parsed_.names.Take(*blocks, named.block_chars, prompt.size());
  parsed_.names.prompt_chars = parsed_.request.prompt_chars;
}

Step Exchange::RefuseModel() {
  OnModelNotListed();
  detail_ += routed_.TextOfModels();
  return Reject(Rejection::kUnknownModel);
}

void Exchange::OnModelNotListed() {
  detail_ = "The model `" + parsed_.request.requested_model + "` does not exist.";
}

std::optional<std::string_view> Exchange::model_field() const {
  if (!parsed_.names_model_field) return std::nullopt;
  return IsFieldValue(parsed_.request.requested_model) ? parsed_.request.requested_model
                                                       : std::string_view();
}

}  // namespace gw
