#include "exchange/routed.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "tls/server_tls.h"

namespace gw {
namespace {

// What a refusal tells of the names that are served.
constexpr size_t kNamesToldMax = 10;
constexpr size_t kNamesToldBytesMax = 1024;

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

const ModelTable* NamesOf(const PoolEntry& pool) {
  const bool declares =
      pool.pool.kind == Pool::Kind::kInferencePool && !pool.models.takes_any_name();
  return declares ? &pool.models : nullptr;
}

// RFC 9110 7.4: a client that has a connection for one name may ask over it for another that the
// certificate has. What is asked of clients, and of which certificate, is the other listener's to
// say.
bool IsMisdirected(const ServerTls& tls, const Asked& asked) {
  const std::string_view asked_for = http::HostWithoutPort(asked.head->authority);
  if (http::EqualsIgnoreCase(asked_for, asked.server_name)) return false;
  std::string host = ToLower(asked_for);
  if (host.ends_with('.')) host.pop_back();
  const std::string* const meant = host.empty() ? nullptr : tls.ListenerFor(host);
  if (meant == nullptr) return false;  // nobody's: no route has it
  const std::string* const connected = tls.ListenerFor(asked.server_name);
  return connected == nullptr || *meant != *connected;
}

}  // namespace

void Routed::Begin(std::shared_ptr<const Snapshot> snapshot, const ListenerKey& listener) {
  End();
  snapshot_ = std::move(snapshot);
  listener_ = listener;
  pool_id_.clear();
  pool_keepalive_.reset();
}

void Routed::BeginAtPool(std::shared_ptr<const Snapshot> snapshot, std::string_view pool_id) {
  Begin(std::move(snapshot), ListenerKey());
  pool_id_.assign(pool_id);
}

void Routed::End() {
  snapshot_.reset();
  routes_ = nullptr;
  held_routes_.reset();
  rule_ = nullptr;
  destination_filters_ = nullptr;
  chosen_by_value_ = false;
  model_rules_.clear();
  pool_ = nullptr;
}

Refusal Routed::FindListener(const Asked& asked) {
  const ListenerEntry* listener = snapshot_ ? snapshot_->FindListener(listener_) : nullptr;
  if (listener == nullptr || !listener->routes) return {Rejection::kShuttingDown};
  if (asked.tls && listener->tls != nullptr && IsMisdirected(*listener->tls, asked)) {
    return {Rejection::kMisdirected};
  }
  routes_ = listener->routes.get();
  secure_ = listener->tls != nullptr;
  return {};
}

Refusal Routed::FindRule(const Asked& asked, const RouteModel& model) {
  rule_ = routes_->Match(http::HostWithoutPort(asked.head->authority), asked.target.path,
                         asked.target.query, *asked.head, model);
  if (rule_ == nullptr) return {Rejection::kNoRoute};
  if (!rule_->unsupported.empty()) return {Rejection::kRuleUnsupported, rule_->unsupported};
  return {};
}

bool Routed::ListsModels(std::string_view path) {
  model_rules_ = RulesOfModelList(*snapshot_, *routes_, *rule_, path);
  return !model_rules_.empty();
}

// The models that the destination's pool declares; nullptr if it takes any name, or is no pool of
// model servers.
const ModelTable* Routed::DeclaredModels(const Destination& destination) const {
  if (destination.kind != Destination::Kind::kPool) return nullptr;
  CHECK(destination.pool < snapshot_->pools.size());
  return NamesOf(*snapshot_->pools[destination.pool]);
}

bool Routed::pool_depends_on_model() const {
  return rule_->destinations.size() > 1 &&
         std::any_of(rule_->destinations.begin(), rule_->destinations.end(),
                     [this](const Destination& d) { return DeclaredModels(d) != nullptr; });
}

// Of several destinations those that declare the model share it by weight; if none does, those that
// take any name. A body that names none comes to the latter first, too.
const Destination* Routed::ChooseDestination(const PoolQuestion& question, Random& random) {
  const std::string& model = question.model;
  if (!pool_depends_on_model() || (model.empty() && !question.understood)) {
    return Choose(question.sticky, random);
  }
  const Destination* chosen = nullptr;
  if (!model.empty()) {
    chosen = Choose(question.sticky, random, [&](const Destination& destination) {
      return DeclaredModels(destination) != nullptr &&
             Declares(*snapshot_->pools[destination.pool], model);
    });
  }
  if (chosen == nullptr) {
    chosen = Choose(question.sticky, random, [this](const Destination& destination) {
      return DeclaredModels(destination) == nullptr;
    });
  }
  return chosen != nullptr ? chosen : Choose(question.sticky, random);
}

// Of those that fit, all if `fits` is empty. A client's value passes over what would be answered
// 500: whose version is broken has another one, and who brings no value has its share of errors.
const Destination* Routed::Choose(const std::optional<uint64_t>& sticky, Random& random,
                                  const Fits& fits) {
  if (sticky) {
    const auto can = [&](const Destination& destination) {
      return destination.kind == Destination::Kind::kPool &&
             snapshot_->pools[destination.pool]->unservable.empty() &&
             (fits == nullptr || fits(destination));
    };
    if (const Destination* chosen = rule_->ChooseSticky(*sticky, std::cref(can))) {
      chosen_by_value_ = true;
      return chosen;
    }
  }
  return fits == nullptr ? rule_->Choose(random) : rule_->Choose(random, fits);
}

// The destination that the session has, whatever its weight is now; nullptr if there is none that
// may be asked for the model.
const Destination* Routed::DestinationOf(const SessionToken& session,
                                         const std::string& model) const {
  for (const Destination& destination : rule_->destinations) {
    if (destination.kind != Destination::Kind::kPool) continue;
    const PoolEntry& pool = *snapshot_->pools[destination.pool];
    if (rule_->session->HashOfDestination(pool.pool.id) != session.destination) continue;
    const bool fits =
        model.empty() || DeclaredModels(destination) == nullptr || Declares(pool, model);
    return fits ? &destination : nullptr;
  }
  return nullptr;
}

// The destination whose pool has that endpoint; nullptr if none has.
const Destination* Routed::DestinationOf(const EndpointState& home) const {
  for (const Destination& destination : rule_->destinations) {
    if (destination.kind != Destination::Kind::kPool) continue;
    const auto states = snapshot_->pools[destination.pool]->pool.endpoints.states();
    if (std::find(states.begin(), states.end(), &home) != states.end()) return &destination;
  }
  return nullptr;
}

Refusal Routed::FindPool(const PoolQuestion& question, Random& random) {
  const Destination* destination =
      question.home != nullptr ? DestinationOf(*question.home) : nullptr;
  if (destination == nullptr && question.session) {
    destination = DestinationOf(*question.session, question.model);
  }
  if (destination == nullptr) destination = ChooseDestination(question, random);
  if (destination == nullptr || destination->kind == Destination::Kind::kInvalid) {
    return {Rejection::kNoValidDestination};
  }
  CHECK(destination->pool < snapshot_->pools.size());
  destination_filters_ = destination->filters.get();
  destination_ = static_cast<size_t>(destination - rule_->destinations.data());
  return Take(*snapshot_->pools[destination->pool]);
}

Refusal Routed::Take(const PoolEntry& pool) {
  pool_ = &pool;
  if (!pool.unservable.empty()) return {Rejection::kPoolUnservable, pool.unservable};
  return {};
}

const PoolEntry* Routed::Fallback() const {
  if (pool_ == nullptr || !pool_->fallback) return nullptr;
  CHECK(*pool_->fallback < snapshot_->pools.size());
  const PoolEntry& other = *snapshot_->pools[*pool_->fallback];
  return other.unservable.empty() && !other.pool.endpoints.empty() ? &other : nullptr;
}

const PoolEntry* Routed::FindById(std::string_view id) const {
  if (!snapshot_) return nullptr;
  const auto found = std::find_if(snapshot_->pools.begin(), snapshot_->pools.end(),
                                  [id](const auto& pool) { return pool->pool.id == id; });
  return found == snapshot_->pools.end() ? nullptr : found->get();
}

Refusal Routed::FindGivenPool() {
  const PoolEntry* const pool = FindById(pool_id_);
  if (pool != nullptr) return Take(*pool);
  return {Rejection::kNoEndpoint, "there is no pool " + pool_id_};
}

void Routed::Unpin() {
  CHECK(pool_ != nullptr);
  pool_id_ = pool_->pool.id;
  pool_keepalive_ = pool_->stream_keepalive;
  pool_ = nullptr;
  model_rules_.clear();
  // The rule stays, which says how long the request may take.
  const ListenerEntry* const listener =
      rule_ != nullptr ? snapshot_->FindListener(listener_) : nullptr;
  if (listener != nullptr) held_routes_ = listener->routes;
  snapshot_.reset();
}

Refusal Routed::PinAgain(std::shared_ptr<const Snapshot> newest) {
  CHECK(pool_ == nullptr && snapshot_ == nullptr);
  snapshot_ = std::move(newest);
  return FindGivenPool();
}

std::optional<Duration> Routed::stream_keepalive() const {
  if (rule_ != nullptr && rule_->stream_keepalive) return rule_->stream_keepalive;
  return pool_ != nullptr ? pool_->stream_keepalive : pool_keepalive_;
}

size_t Routed::PromptCharsMax() const {
  const auto wanted = [](const PoolEntry& pool) {
    return pool.uses_prefix ? pool.prefix.chars_max() : 0;
  };
  if (pool_ != nullptr) return wanted(*pool_);
  size_t most = 0;
  for (const auto& pool : snapshot_->pools) most = std::max(most, wanted(*pool));
  return most;
}

std::string Routed::TextOfModels() const {
  std::vector<const ModelTable*> tables;
  if (rule_ == nullptr) {
    if (const ModelTable* models = pool_ != nullptr ? NamesOf(*pool_) : nullptr) {
      tables.push_back(models);
    }
    return TextOfNames(tables);
  }
  for (const Destination& destination : rule_->destinations) {
    const ModelTable* models = destination.weight > 0 ? DeclaredModels(destination) : nullptr;
    if (models != nullptr) tables.push_back(models);
  }
  return TextOfNames(tables);
}

}  // namespace gw
