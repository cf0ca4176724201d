#include "dataplane/model_list.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/mutex.h"
#include "dataplane/forwarding.h"

namespace gw {

// One pool asked for its list: an endpoint, and the next one if that one does not tell.
class ModelListFetch::Question final : public ResponseHandler {
 public:
  Question(ModelListFetch& fetch, const ModelListPlan::Part& part)
      : fetch_(fetch),
        access_(part.pool->pool.access.get()),
        candidates_(part.candidates),
        filters_(part.filters),
        timer_(fetch.upstreams_.loop(), [this] { OnTimeout(); }) {}
  ~Question() {
    if (call_ != nullptr) call_->Cancel();
  }
  void Ask() {
    const std::string& address = candidates_[next_]->address;
    answer_ = {};
    std::vector<http::HeaderField> fields{{"accept", "application/json"}};
    for (const auto& [name, value] : fetch_.fields_) fields.push_back({name, value});
    filters_.EditRequest(&fields);
    if (access_ != nullptr) SetCredential(*access_, &fields);
    std::string_view authority = filters_.hostname();
    if (authority.empty() && access_ != nullptr) authority = access_->authority;
    const std::string path = (access_ != nullptr ? access_->path_prefix : "") + "/v1/models";
    timer_.Start(fetch_.options_.model_list_timeout);
    // That a kept connection is found closed says nothing of the endpoint: it is asked once more.
    call_ = fetch_.upstreams_.Send(
        {address, access_ != nullptr ? access_->tls : nullptr},
        {.target = path, .authority = authority.empty() ? address : authority, .fields = fields},
        asked_again_ ? Reuse::kNone : Reuse::kTrusted, this);
  }
  ModelListAnswer& answer() { return answer_; }

  void OnResponseHead(const http::ResponseHead& head) override {
    answer_.status = head.status;
    const http::HeaderField* type = head.headers.Find("content-type");
    answer_.content_type.assign(type != nullptr ? type->value : "application/json");
    answer_.fields = FieldsOfAnswer(head);
  }
  void OnResponseBody(std::string_view piece) override {
    if (answer_.status == 0) return;
    if (answer_.body.size() + piece.size() > fetch_.options_.model_list_bytes_max) {
      fetch_.on_limit_("model_list_bytes");
      answer_ = {};
    } else {
      answer_.body += piece;
    }
  }
  void OnResponseEnd() override {
    call_ = nullptr;
    Close();
  }
  void OnResponseFailed(const ClientError& error) override {
    call_ = nullptr;
    if (error.failure == ClientFailure::kStaleConnection && !asked_again_) {
      asked_again_ = true;
      Ask();
      return;
    }
    answer_ = {};
    Close();
  }

 private:
  void OnTimeout() {
    fetch_.on_limit_("model_list_timeout");
    call_->Cancel();
    call_ = nullptr;
    answer_ = {};
    Close();
  }
  // Who is refused by one is refused by all.
  bool IsFinal() const {
    return answer_.status == 200 || answer_.status == 401 || answer_.status == 403;
  }
  void Close() {
    timer_.Stop();
    if (!IsFinal() && ++next_ < candidates_.size()) {
      Ask();
      return;
    }
    fetch_.OnAnswer();
  }

  ModelListFetch& fetch_;
  const EndpointAccess* const access_;
  const std::vector<const Endpoint*>& candidates_;
  const FilterChain filters_;
  ClientCall* call_ = nullptr;
  ModelListAnswer answer_;
  Timer timer_;
  size_t next_ = 0;
  bool asked_again_ = false;
};

ModelListFetch::ModelListFetch(ClientPool& upstreams, const DataplaneOptions& options,
                               std::shared_ptr<const Snapshot> snapshot, ModelListPlan plan,
                               OwnedFields fields, OnLimit on_limit)
    : upstreams_(upstreams),
      options_(options),
      snapshot_(std::move(snapshot)),
      plan_(std::move(plan)),
      fields_(std::move(fields)),
      on_limit_(std::move(on_limit)) {}

ModelListFetch::~ModelListFetch() = default;

void ModelListFetch::Start(Done done) {
  done_ = std::move(done);
  for (const ModelListPlan::Part& part : plan_.parts) {
    questions_.push_back(std::make_unique<Question>(*this, part));
    if (!part.candidates.empty()) ++open_;
  }
  ++open_;  // for this function
  for (size_t i = 0; i < questions_.size(); ++i) {
    if (!plan_.parts[i].candidates.empty()) questions_[i]->Ask();
  }
  OnAnswer();
}

void ModelListFetch::OnAnswer() {
  if (--open_ > 0) return;
  std::vector<ModelListAnswer> answers;
  for (const auto& question : questions_) answers.push_back(std::move(question->answer()));
  Done done = std::move(done_);
  done(MergeModelAnswers(plan_, answers));
}

ModelListStore::ModelListStore(const DataplaneOptions& options, uint64_t seed)
    : options_(options), seed_(seed) {}

ModelListStore::Key ModelListStore::KeyFor(std::string_view text) const {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(text.data(), text.size(), seed_);
  return {hash.high64, hash.low64};
}

ModelListStore::Found ModelListStore::Find(const Key& key, TimePoint now,
                                           const std::shared_ptr<Waiter>& waiter,
                                           SharedModelList* list) {
  const MutexLock lock(mutex_);
  const auto it = entries_.find(key);
  if (it != entries_.end() && it->second.list != nullptr) {
    if (now - it->second.at <= options_.model_list_cache_time) {
      *list = it->second.list;
      return Found::kList;
    }
    Drop(key);
  }
  const bool others_ask = entries_.contains(key);
  entries_[key].waiters.push_back(waiter);
  return others_ask ? Found::kOthersAsk : Found::kNobodyAsks;
}

void ModelListStore::Leave(const Key& key, const std::shared_ptr<Waiter>& waiter) {
  const MutexLock lock(mutex_);
  const auto it = entries_.find(key);
  if (it != entries_.end()) std::erase(it->second.waiters, waiter);
}

std::string_view ModelListStore::Settle(const Key& key, TimePoint now, SharedModelList list) {
  const MutexLock lock(mutex_);
  const auto it = entries_.find(key);
  CHECK(it != entries_.end() && it->second.list == nullptr);
  // Under the lock: a loop may go as soon as its waiters have left.
  for (const std::shared_ptr<Waiter>& waiter : it->second.waiters) {
    waiter->loop->Post([waiter, list] {
      const auto done = std::exchange(waiter->done, nullptr);
      if (done) done(*list);
    });
  }
  const size_t bytes = BytesOf(*list);
  if (list->status == 0 || options_.model_list_cache_time == Duration::zero() ||
      bytes > options_.model_list_cache_bytes_max) {
    entries_.erase(it);
    return {};
  }
  it->second = {std::move(list), now, {}, kept_.insert(kept_.end(), key)};
  kept_bytes_ += bytes;
  while (now - entries_.at(kept_.front()).at > options_.model_list_cache_time) Drop(kept_.front());
  std::string_view reached;
  while (kept_.size() > options_.model_list_cache_entries_max) {
    reached = "model_list_cache_entries";
    Drop(kept_.front());
  }
  while (kept_bytes_ > options_.model_list_cache_bytes_max) {
    reached = "model_list_cache_bytes";
    Drop(kept_.front());
  }
  return reached;
}

void ModelListStore::Drop(const Key& key) {
  const auto it = entries_.find(key);
  CHECK(it != entries_.end() && it->second.list != nullptr);
  kept_bytes_ -= BytesOf(*it->second.list);
  kept_.erase(it->second.place);  // `key` may be a part of it, and is not used any more
  entries_.erase(it);
}

size_t ModelListStore::BytesOf(const ModelListAnswer& list) {
  size_t bytes = sizeof(Entry) + sizeof(ModelListAnswer) + list.content_type.size();
  for (const auto& [name, value] : list.fields) {
    bytes += sizeof(OwnedFields::value_type) + name.size() + value.size();
  }
  return bytes + list.body.size();
}

ModelLists::ModelLists(ClientPool& upstreams, const DataplaneOptions& options,
                       ModelListStore& store, ModelListFetch::OnLimit on_limit)
    : upstreams_(upstreams), options_(options), store_(store), on_limit_(std::move(on_limit)) {}

ModelLists::~ModelLists() {
  // Other workers' clients may wait for what this one began.
  const auto nobody = std::make_shared<const ModelListAnswer>();
  for (const auto& [key, fetch] : fetches_) {
    store_.Settle(key, upstreams_.loop().now(), nobody);
  }
}

ModelLists::Ticket::Ticket(ModelListStore& store, const ModelListStore::Key& key,
                           std::shared_ptr<ModelListStore::Waiter> waiter)
    : store_(store), key_(key), waiter_(std::move(waiter)) {}

ModelLists::Ticket::~Ticket() {
  waiter_->done = nullptr;
  store_.Leave(key_, waiter_);
}

SharedModelList ModelLists::Get(const std::shared_ptr<const Snapshot>& snapshot,
                                const ModelListRules& rules, OwnedFields fields, Random& random,
                                Done done, std::unique_ptr<Ticket>* ticket) {
  EventLoop& loop = upstreams_.loop();
  const ModelListStore::Key key = store_.KeyFor(KeyOf(*snapshot, rules, fields));
  const auto waiter =
      std::make_shared<ModelListStore::Waiter>(ModelListStore::Waiter{&loop, std::move(done)});
  SharedModelList list;
  const ModelListStore::Found found = store_.Find(key, loop.now(), waiter, &list);
  if (found == ModelListStore::Found::kList) return list;
  *ticket = std::make_unique<Ticket>(store_, key, waiter);
  if (found == ModelListStore::Found::kOthersAsk) return nullptr;
  auto fetch = std::make_unique<ModelListFetch>(upstreams_, options_, snapshot,
                                                PlanModelList(*snapshot, rules, loop.now(), random),
                                                std::move(fields), on_limit_);
  ModelListFetch& started = *(fetches_[key] = std::move(fetch));
  started.Start([this, key](ModelListAnswer answer) {
    const auto finished = std::move(fetches_.at(key));
    fetches_.erase(key);
    const std::string_view limit = store_.Settle(
        key, upstreams_.loop().now(), std::make_shared<const ModelListAnswer>(std::move(answer)));
    if (!limit.empty()) on_limit_(limit);
  });
  return nullptr;
}

}  // namespace gw
