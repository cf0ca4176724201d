// Where a request goes, and what of its body decides that: rule, pool, model.

#include <algorithm>

#include "base/check.h"
#include "exchange/exchange.h"

namespace gw {
namespace {

// What a refusal tells of the names that are served.
constexpr size_t kNamesToldMax = 10;
constexpr size_t kNamesToldBytesMax = 1024;

// " Served here: `a`, `b` and 3 more.", or nothing if there are no names.
std::string TextOfNames(const std::vector<const ModelTable*>& tables) {
  std::string text;
  size_t told = 0;
  size_t more = 0;
  for (const ModelTable* table : tables) {
    for (const std::string& name : table->names()) {
      if (told == kNamesToldMax || text.size() + name.size() > kNamesToldBytesMax) {
        ++more;
        continue;
      }
      text += (told++ == 0 ? " Served here: `" : ", `") + name + "`";
    }
  }
  if (more > 0) text += " and " + std::to_string(more) + " more";
  return text.empty() ? text : text + ".";
}

// A name counts as what the pool's rewrites make of it.
bool Declares(const PoolEntry& pool, const std::string& model) {
  const std::vector<TargetModel>* rewrite = pool.rewrites.Find(model);
  if (rewrite == nullptr) return pool.models.Find(model) != nullptr;
  return std::any_of(rewrite->begin(), rewrite->end(), [&](const TargetModel& target) {
    return pool.models.Find(target.name) != nullptr;
  });
}

// What may be written as the value of a header field.
bool IsFieldValue(std::string_view text) {
  return !text.empty() && text.front() != ' ' && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != '\x7f'; });
}

}  // namespace

Step Exchange::RouteByHead() {
  const ListenerEntry* listener = snapshot_ ? snapshot_->FindListener(listener_) : nullptr;
  if (listener == nullptr || !listener->routes) return Reject(Rejection::kShuttingDown);
  routes_ = listener->routes.get();
  const bool lists = request_.api == ApiKind::kModels;
  const bool has_body = head_->framing != http::BodyFraming::kNone;
  if (routes_->matches_model_name() && has_body && !lists) {
    return {Step::Kind::kReadBody, Rejection::kNone};
  }
  RouteModel model;
  if (lists) model.is = RouteModel::Is::kAny;
  if (const Step step = FindRule(model); step.kind == Step::Kind::kRespond) return step;
  if (lists) {
    model_rules_ = RulesOfModelList(*snapshot_, *routes_, *rule_, target_.path);
    if (!model_rules_.empty()) return {Step::Kind::kReadBody, Rejection::kNone};
    request_.api = ApiKind::kOther;
    request_.requested_model.clear();
  }
  if (has_body && RuleChoosesByModel()) return {Step::Kind::kReadBody, Rejection::kNone};
  return FindPool();
}

Step Exchange::FindRule(const RouteModel& model) {
  rule_ = routes_->Match(http::HostWithoutPort(head_->authority), target_.path, target_.query,
                         *head_, model);
  if (rule_ == nullptr) return Reject(Rejection::kNoRoute);
  if (!rule_->unsupported.empty()) {
    detail_ = rule_->unsupported;
    return Reject(Rejection::kRuleUnsupported);
  }
  return {Step::Kind::kContinue, Rejection::kNone};
}

// The models that the destination's pool declares; nullptr if it takes any name, or is no pool of
// model servers.
const ModelTable* Exchange::DeclaredModels(const Destination& destination) const {
  if (destination.kind != Destination::Kind::kPool) return nullptr;
  CHECK(destination.pool < snapshot_->pools.size());
  const PoolEntry& entry = *snapshot_->pools[destination.pool];
  const bool declares =
      entry.pool.kind == Pool::Kind::kInferencePool && !entry.models.takes_any_name();
  return declares ? &entry.models : nullptr;
}

bool Exchange::RuleChoosesByModel() const {
  return rule_->destinations.size() > 1 &&
         std::any_of(rule_->destinations.begin(), rule_->destinations.end(),
                     [this](const Destination& d) { return DeclaredModels(d) != nullptr; });
}

// Of several destinations those that declare the model share it by weight; if none does, those that
// take any name. A body that names none comes to the latter first, too.
const Destination* Exchange::ChooseDestination() {
  const std::string& model = request_.requested_model;
  const bool understood = request_.api != ApiKind::kOther;
  if (!RuleChoosesByModel() || (model.empty() && !understood)) return rule_->Choose(env_.random);
  const Destination* chosen = nullptr;
  if (!model.empty()) {
    chosen = rule_->Choose(env_.random, [&](const Destination& destination) {
      return DeclaredModels(destination) != nullptr &&
             Declares(*snapshot_->pools[destination.pool], model);
    });
  }
  if (chosen == nullptr) {
    chosen = rule_->Choose(env_.random, [this](const Destination& destination) {
      return DeclaredModels(destination) == nullptr;
    });
  }
  return chosen != nullptr ? chosen : rule_->Choose(env_.random);
}

Step Exchange::FindPool() {
  const Destination* destination = ChooseDestination();
  if (destination == nullptr || destination->kind == Destination::Kind::kInvalid) {
    return Reject(Rejection::kNoValidDestination);
  }
  CHECK(destination->pool < snapshot_->pools.size());
  pool_ = snapshot_->pools[destination->pool].get();
  if (!pool_->unservable.empty()) {
    detail_ = pool_->unservable;
    return Reject(Rejection::kPoolUnservable);
  }
  if (pool_->pool.kind == Pool::Kind::kService) request_.api = ApiKind::kOther;
  return {Step::Kind::kReadBody, Rejection::kNone};
}

bool Exchange::reads_body() const {
  if (request_.api == ApiKind::kModels) return false;
  if (pool_ == nullptr) return true;
  if (pool_->pool.kind == Pool::Kind::kService) return false;
  return request_.api != ApiKind::kOther || !pool_->models.takes_any_name() ||
         !pool_->rewrites.empty();
}

Step Exchange::OnRequestBody(std::string_view body, TimePoint now) {
  body_ = body;
  notes_.BodyCame(now);
  edit_.Begin(body);
  if (request_.api == ApiKind::kModels) return {Step::Kind::kListModels, Rejection::kNone};
  if (reads_body()) ReadBody();
  if (rule_ == nullptr) {
    RouteModel model;
    names_model_field_ = !request_.requested_model.empty();
    if (names_model_field_) model = {RouteModel::Is::kNamed, request_.requested_model};
    // Of what cannot be read the client must not say what it is.
    if (body_outcome_ != ParseOutcome::kOk) model = {RouteModel::Is::kNamed, ""};
    if (const Step step = FindRule(model); step.kind == Step::Kind::kRespond) {
      const bool unread = body_outcome_ != ParseOutcome::kOk && request_.api != ApiKind::kOther;
      return unread ? RefuseBody() : step;
    }
  }
  if (pool_ == nullptr) {
    if (const Step step = FindPool(); step.kind == Step::Kind::kRespond) return step;
  }
  if (reads_body()) {
    if (const Step step = TakeBody(); step.kind == Step::Kind::kRespond) return step;
  }
  return Admit(now);
}

// Of a body that is read before its pool is known, as much of the prompt as any pool looks at.
size_t Exchange::PromptCharsMax() const {
  const auto wanted = [](const PoolEntry& pool) {
    return pool.uses_prefix ? pool.prefix.chars_max() : 0;
  };
  if (pool_ != nullptr) return wanted(*pool_);
  size_t most = 0;
  for (const auto& pool : snapshot_->pools) most = std::max(most, wanted(*pool));
  return most;
}

void Exchange::ReadBody() {
  if (request_.api != ApiKind::kOther) {
    body_outcome_ = env_.parser.Parse(body_, PromptCharsMax(), &request_);
  } else {
    const http::HeaderField* type = head_->headers.Find("content-type");
    body_outcome_ =
        head_->headers.Count("content-type") > 1
            ? ParseOutcome::kUnclearForm
            : env_.parser.FindModel(type != nullptr ? type->value : "", body_, &request_);
  }
  if (body_outcome_ != ParseOutcome::kOk) request_.requested_model.clear();
}

Step Exchange::RefuseBody() {
  const ParseOutcome outcome = *body_outcome_;
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
  if (*body_outcome_ != ParseOutcome::kOk) return RefuseBody();
  const bool understood = request_.api != ApiKind::kOther;
  if (!pool_->models.takes_any_name() && request_.requested_model.empty()) {
    if (!understood) return {Step::Kind::kForward, Rejection::kNone};
    detail_ = "the request body has no \"model\"";
    return Reject(Rejection::kMalformedBody);
  }
  if (!MapModel()) return RefuseModel();
  if (understood && pool_->asks_stream_usage) usage_ask_ = AskForUsage(body_, request_);
  Splice(&edit_);
  if (understood && pool_->uses_prefix) {
    HashBlocks(env_.parser.prompt(), PrefixSeed(request_.target_model, request_.cache_salt),
               pool_->prefix, &request_.prefix_blocks);
  }
  env_.parser.DropPrompt();
  return {Step::Kind::kForward, Rejection::kNone};
}

// A rewrite says what is asked for in place of the name, an InferenceModel what is sent for that.
// False: nobody declares the name.
bool Exchange::MapModel() {
  request_.target_model = request_.requested_model;
  if (request_.requested_model.empty()) return true;
  if (const auto* rewrite = pool_->rewrites.Find(request_.requested_model)) {
    request_.target_model = ChooseTarget(*rewrite, env_.random);
  }
  if (pool_->models.takes_any_name()) return true;
  model_ = pool_->models.Find(request_.target_model);
  if (model_ == nullptr) return false;
  request_.target_model = model_->Choose(env_.random);
  return true;
}

Step Exchange::RefuseModel() {
  std::vector<const ModelTable*> tables;
  for (const Destination& destination : rule_->destinations) {
    const ModelTable* models = destination.weight > 0 ? DeclaredModels(destination) : nullptr;
    if (models != nullptr) tables.push_back(models);
  }
  OnModelNotListed();
  detail_ += TextOfNames(tables);
  return Reject(Rejection::kUnknownModel);
}

void Exchange::OnModelNotListed() {
  detail_ = "The model `" + request_.requested_model + "` does not exist.";
}

void Exchange::Splice(BodyEdit* edit, bool asks_usage) const {
  if (request_.target_model != request_.requested_model) {
    edit->Replace(request_.model_value, ModelText(request_.model_place, request_.target_model));
  }
  if (usage_ask_ && asks_usage) edit->Replace(usage_ask_->at, usage_ask_->text);
}

std::optional<std::string_view> Exchange::model_field() const {
  if (!names_model_field_) return std::nullopt;
  return IsFieldValue(request_.requested_model) ? request_.requested_model : std::string_view();
}

}  // namespace gw
