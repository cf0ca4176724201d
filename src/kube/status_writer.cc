#include "kube/status_writer.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "kube/node_edit.h"
#include "kube/status_entry.h"

namespace gw::kube {
namespace {

constexpr char kMergePatch[] = "application/merge-patch+json";

api::ObjectId IdOf(const Resource& resource, const api::ObjectKey& key) {
  return {resource.kind, resource.group, key.ns, key.name};
}

// Of an object what a status is compared by: the rest is large, and others hold it already.
api::Node Trimmed(const api::Node& object) {
  api::Node metadata = MapNode();
  for (const char* key : {"name", "namespace", "generation", "resourceVersion"}) {
    const api::Node* metadata_there = MapAt(&object, "metadata");
    const api::Node* value = metadata_there == nullptr ? nullptr : metadata_there->Find(key);
    if (value != nullptr) SetMember(&metadata, key, *value);
  }
  api::Node trimmed = MapNode();
  SetMember(&trimmed, "apiVersion", TextNode(TextAt(&object, "apiVersion")));
  SetMember(&trimmed, "kind", TextNode(TextAt(&object, "kind")));
  SetMember(&trimmed, "metadata", std::move(metadata));
  if (const api::Node* status = MapAt(&object, "status")) SetMember(&trimmed, "status", *status);
  return trimmed;
}

// What was sent is wrong, and will be the next time.
bool IsRefusal(int status) {
  return status == 400 || status == 405 || status == 413 || status == 415 || status == 422;
}

}  // namespace

using State = StatusWriter::Entry::State;

StatusWriter::StatusWriter(ApiClient& client, Random random, StatusWriterOptions options)
    : client_(client),
      loop_(client.loop()),
      random_(random),
      options_(std::move(options)),
      owner_{.controller_names = options_.controller_names},
      pump_(loop_, [this] { Pump(); }) {}

StatusWriter::~StatusWriter() = default;

std::string StatusWriter::UidOf(const api::ObjectId& id) const {
  const auto entry = entries_.find(id);
  return entry == entries_.end() ? "" : entry->second->seen.uid;
}

bool StatusWriter::idle() const {
  return std::all_of(entries_.begin(), entries_.end(), [](const auto& entry) {
    return entry.second->state == State::kIdle || entry.second->state == State::kRefused;
  });
}

void StatusWriter::Seen(const Resource& resource, ApiObject object) {
  if (!TakesStatus(resource.group, resource.kind)) return;
  const api::ObjectId id = IdOf(resource, object.key);
  auto found = entries_.find(id);
  if (found == entries_.end()) {
    if (entries_.size() >= options_.objects_max) {
      ++counts_.too_many;
      return;
    }
    const auto on_timer = [this](Entry* entry) {
      entry->state = State::kIdle;
      Consider(entry);
    };
    // One that comes anew is ours if it is said to be.
    if (id.kind == "Gateway" && !wishes_.contains(id)) owner_.gateways.erase(object.key);
    found = entries_.emplace(id, std::make_unique<Entry>(loop_, id, resource, on_timer)).first;
  }
  Entry& entry = *found->second;
  const bool anew = entry.seen.uid != object.uid;
  if (anew) entry.passed.Clear();
  if (!anew && (entry.seen.resource_version == object.resource_version ||
                entry.passed.Has(object.resource_version, loop_.now()))) {
    return;
  }
  Hold(&entry, std::move(object));
  Consider(&entry);
}

void StatusWriter::Hold(Entry* entry, ApiObject object) {
  object.node = Trimmed(object.node);
  entry->seen = std::move(object);
  entry->superseded = false;
}

void StatusWriter::Gone(const Resource& resource, const api::ObjectKey& key) {
  const auto found = entries_.find(IdOf(resource, key));
  if (found != entries_.end()) Forget(found->second.get());
}

void StatusWriter::Want(const api::StatusSet& statuses) {
  std::map<api::ObjectId, api::ObjectStatus> before = std::exchange(wishes_, {});
  for (const auto& [ref, status] : statuses) {
    if (!TakesStatus(ref.group, ref.kind)) continue;
    wishes_.try_emplace({ref.kind, ref.group, ref.ns, ref.name}, status);
  }
  const bool other_gateways = FindOurGateways();
  for (const auto& [id, wish] : wishes_) {
    const auto old = before.find(id);
    const bool changed = old == before.end() || old->second != wish;
    const bool owner_changed = other_gateways && id.kind == "InferencePool";
    if (changed || owner_changed) ConsiderWish(id);
  }
}

void StatusWriter::WantOf(const api::StatusSet& some) {
  for (const auto& [ref, status] : some) {
    const auto wish = wishes_.find({ref.kind, ref.group, ref.ns, ref.name});
    if (wish == wishes_.end() || wish->second == status) continue;
    wish->second = status;
    ConsiderWish(wish->first);
  }
}

void StatusWriter::ConsiderWish(const api::ObjectId& id) {
  const auto entry = entries_.find(id);
  if (entry == entries_.end()) return;
  entry->second->wish_changed = true;
  Consider(entry->second.get());
}

// Those that are wished something for, and those that were once and do not exist any more: nobody
// else would clear up behind them. One that exists and is nothing to us any more is another's.
bool StatusWriter::FindOurGateways() {
  std::set<api::ObjectKey> ours;
  for (const auto& [id, wish] : wishes_) {
    if (id.kind == "Gateway") ours.insert({id.ns, id.name});
  }
  for (const api::ObjectKey& key : owner_.gateways) {
    const bool exists = entries_.contains({"Gateway", api::kGatewayGroup, key.ns, key.name});
    if (!exists && ours.size() < options_.gateways_max) ours.insert(key);
  }
  std::swap(ours, owner_.gateways);
  return ours != owner_.gateways;
}

void StatusWriter::SetActive(bool active) {
  if (active == active_) return;
  active_ = active;
  queue_.clear();
  forbidden_.clear();
  for (const auto& [id, entry] : entries_) {
    EndCall(entry.get());
    Reset(entry.get());
    if (active) Consider(entry.get());
  }
}

// There is something new about it.
void StatusWriter::Consider(Entry* entry) {
  if (!active_ || !wishes_.contains(entry->id)) return;
  switch (entry->state) {
    case State::kQueued:
    case State::kCalling:
    case State::kWaiting:
      return;
    case State::kIdle:
    case State::kConflict:
    case State::kRefused:
      break;
  }
  entry->timer.Stop();
  entry->state = State::kQueued;
  queue_.push_back(entry->id);
  if (!pump_.active()) pump_.Start(Duration(0));
}

void StatusWriter::Pump() {
  for (size_t compared = 0; compared < options_.compared_per_round; ++compared) {
    if (queue_.empty() || calls_ >= options_.calls_max) return;
    const auto found = entries_.find(queue_.front());
    queue_.pop_front();
    if (found != entries_.end() && found->second->state == State::kQueued) {
      Compare(found->second.get());
    }
  }
  pump_.Start(Duration(0));
}

void StatusWriter::Compare(Entry* entry) {
  entry->state = State::kIdle;
  const auto wish = wishes_.find(entry->id);
  if (wish == wishes_.end()) return;
  if (entry->superseded) return Get(entry);
  StatusPatch patch = MakeStatusPatch(wish->second, entry->seen.node, owner_,
                                      loop_.clock().UnixNanos() / 1'000'000'000);
  switch (patch.outcome) {
    case StatusPatch::Outcome::kSame:
      return Reset(entry);
    case StatusPatch::Outcome::kOldView:
      ++counts_.old_views;
      return;
    case StatusPatch::Outcome::kWrite:
      return Patch(entry, std::move(patch));
  }
}

void StatusWriter::Patch(Entry* entry, StatusPatch patch) {
  counts_.left_out += patch.left_out;
  entry->state = State::kCalling;
  entry->base_version = entry->seen.resource_version;
  entry->wish_changed = false;
  ++calls_;
  // May be sent twice: of two, the second is a conflict.
  entry->call = client_.Send({.method = "PATCH",
                              .target = StatusTarget(entry->resource, entry->seen.key),
                              .content_type = kMergePatch,
                              .body = std::move(patch.body),
                              .may_repeat = true},
                             [this, entry](const ApiAnswer& answer) { OnPatched(entry, answer); });
}

void StatusWriter::Get(Entry* entry) {
  entry->state = State::kCalling;
  entry->base_version = entry->seen.resource_version;
  ++calls_;
  entry->call = client_.Send({.target = ObjectTarget(entry->resource, entry->seen.key)},
                             [this, entry](const ApiAnswer& answer) { OnGot(entry, answer); });
}

void StatusWriter::EndCall(Entry* entry) {
  if (entry->call == nullptr) return;
  entry->call.reset();
  --calls_;
  if (active_ && !queue_.empty() && !pump_.active()) pump_.Start(Duration(0));
}

void StatusWriter::OnPatched(Entry* entry, const ApiAnswer& answer) {
  EndCall(entry);
  entry->state = State::kIdle;
  if (answer.ok()) return OnWritten(entry, answer);
  const int status = answer.failure == ApiFailure::kNone ? answer.status : 0;
  if (status == 404) {
    ++counts_.absent;
    return Forget(entry);
  }
  if (status == 409) return OnConflict(entry);
  if (status == 403) return OnForbidden(entry, answer);
  if (IsRefusal(status)) return OnRefused(entry, answer);
  Fail(entry, answer);
}

void StatusWriter::OnGot(Entry* entry, const ApiAnswer& answer) {
  EndCall(entry);
  entry->state = State::kIdle;
  const int status = answer.failure == ApiFailure::kNone ? answer.status : 0;
  if (status == 404) {
    ++counts_.absent;
    return Forget(entry);
  }
  if (status == 403) return OnForbidden(entry, answer);
  if (!answer.ok()) return Fail(entry, answer);
  absl::StatusOr<ApiObject> object = ReadObject(answer.body, entry->resource);
  if (!object.ok()) return Fail(entry, answer);
  // What came by the watch meanwhile may be newer still; if it is not, the next PATCH is a conflict
  // again.
  if (entry->seen.resource_version == entry->base_version &&
      object->resource_version != entry->base_version) {
    entry->passed.Add(entry->base_version, loop_.now());
    Hold(entry, *std::move(object));
  }
  entry->superseded = false;
  Consider(entry);
}

void StatusWriter::OnWritten(Entry* entry, const ApiAnswer& answer) {
  ++counts_.writes;
  forbidden_.erase(entry->resource.ToString());
  absl::StatusOr<ApiObject> object = ReadObject(answer.body, entry->resource);
  if (!object.ok()) return Fail(entry, answer);
  Reset(entry);
  const std::string version = object->resource_version;
  if (version != entry->base_version) entry->passed.Add(entry->base_version, loop_.now());
  // If the watch was faster, what it told is this or newer.
  if (entry->seen.resource_version == entry->base_version) Hold(entry, *std::move(object));
  const auto wish = wishes_.find(entry->id);
  if (wish == wishes_.end()) return;
  if (entry->wish_changed || entry->seen.resource_version != version) return Consider(entry);
  const StatusPatch again = MakeStatusPatch(wish->second, entry->seen.node, owner_,
                                            loop_.clock().UnixNanos() / 1'000'000'000);
  if (again.outcome != StatusPatch::Outcome::kWrite) return;
  ++counts_.not_kept;
  entry->state = State::kRefused;
  Log(LogLevel::kWarning, "The API server does not keep a status as it was written",
      {{"resource", entry->resource.ToString()},
       {"namespace", entry->id.ns},
       {"name", entry->id.name}});
}

void StatusWriter::OnConflict(Entry* entry) {
  ++counts_.conflicts;
  const bool newer_came = entry->seen.resource_version != entry->base_version;
  entry->superseded = !newer_came;
  if (++entry->conflicts > options_.conflicts_max) {
    Log(LogLevel::kWarning, "A status is not written: the object changes all the time",
        {{"resource", entry->resource.ToString()},
         {"namespace", entry->id.ns},
         {"name", entry->id.name}});
    entry->conflicts = 0;
    return WaitSlowly(entry);
  }
  const Duration wait = entry->backoff.Next(random_);
  if (newer_came && entry->conflicts == 1) return Consider(entry);
  entry->state = newer_came ? State::kWaiting : State::kConflict;
  entry->timer.Start(wait);
}

void StatusWriter::OnRefused(Entry* entry, const ApiAnswer& answer) {
  ++counts_.refusals;
  entry->state = State::kRefused;
  const std::string why = answer.Why();
  if (std::exchange(entry->refusal, why) != why) {
    Log(LogLevel::kWarning, "The API server refuses a status",
        {{"resource", entry->resource.ToString()},
         {"namespace", entry->id.ns},
         {"name", entry->id.name},
         {"error", why}});
  }
  const bool newer_came = entry->seen.resource_version != entry->base_version;
  if (newer_came || entry->wish_changed) Consider(entry);
}

void StatusWriter::OnForbidden(Entry* entry, const ApiAnswer& answer) {
  ++counts_.forbidden;
  if (forbidden_.insert(entry->resource.ToString()).second) {
    Log(LogLevel::kWarning, "The status of a resource may not be written",
        {{"resource", entry->resource.ToString()}, {"error", answer.Why()}});
  }
  WaitSlowly(entry);
}

void StatusWriter::Fail(Entry* entry, const ApiAnswer& answer) {
  ++counts_.failures;
  entry->state = State::kWaiting;
  entry->timer.Start(std::max(entry->backoff.Next(random_), answer.retry_after));
}

void StatusWriter::WaitSlowly(Entry* entry) {
  entry->state = State::kWaiting;
  entry->timer.Start(Between(options_.slow_retry * 4 / 5, options_.slow_retry * 6 / 5, random_));
}

// As one of which nothing went wrong.
void StatusWriter::Reset(Entry* entry) {
  entry->timer.Stop();
  entry->state = State::kIdle;
  entry->conflicts = 0;
  entry->refusal.clear();
  entry->backoff.Reset();
}

void StatusWriter::Forget(Entry* entry) {
  EndCall(entry);
  entry->timer.Stop();
  const auto found = entries_.find(entry->id);
  // It may be its own timer or answer that is being handled.
  loop_.FreeLater(std::move(found->second));
  entries_.erase(found);
}

}  // namespace gw::kube
