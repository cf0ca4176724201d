#include "config/kubernetes/managed_writer.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "config/kubernetes/managed_objects.h"
#include "kube/json_node.h"
#include "kube/node_edit.h"

namespace gw::config {
namespace {

using api::Node;

bool IsTerminating(const Node& object) {
  return !kube::TextAt(kube::MapAt(&object, "metadata"), "deletionTimestamp").empty();
}

// What was sent is wrong or may not be sent, and will be the next time.
bool IsRefusal(int status) {
  return status >= 400 && status < 500 && status != 409 && status != 429;
}

// Of an object of that very name and no later one.
std::string DeleteOptions(const std::string& uid) {
  Node preconditions = kube::MapNode();
  kube::SetMember(&preconditions, "uid", kube::TextNode(uid));
  Node options = kube::MapNode();
  kube::SetMember(&options, "apiVersion", kube::TextNode("v1"));
  kube::SetMember(&options, "kind", kube::TextNode("DeleteOptions"));
  kube::SetMember(&options, "preconditions", std::move(preconditions));
  kube::SetMember(&options, "propagationPolicy", kube::TextNode("Background"));
  return kube::ToJson(options);
}

}  // namespace

struct ManagedWriter::Entry {
  Entry(EventLoop& loop, std::function<void()> on_timer) : timer(loop, std::move(on_timer)) {}

  // What is there: nullopt, nothing.
  std::optional<kube::ApiObject> seen;
  bool terminating = false;

  // What there is to be; null: nothing.
  Node wish;
  std::string wish_json;
  api::ObjectKey gateway;  // of the wish

  std::string applied;  // the wish that the server has taken last
  std::string kept;     // and what it has made of it
  std::string sent;     // under way, or sent last
  std::string error;    // of the last try; it was logged
  kube::Backoff backoff;
  std::unique_ptr<kube::ApiCall> call;
  Timer timer;  // until the next try, unless the wish is another
};

ManagedWriter::ManagedWriter(kube::ApiClient& client, api::ObjectKey from, Random random,
                             std::function<void()> on_errors, const ManagedWriterOptions& options)
    : client_(client),
      from_(std::move(from)),
      random_(random),
      on_errors_(std::move(on_errors)),
      options_(options),
      deployments_{.group = "apps",
                   .version = "v1",
                   .plural = "deployments",
                   .kind = "Deployment",
                   .ns = from_.ns},
      services_{.version = "v1", .plural = "services", .kind = "Service", .ns = from_.ns},
      pump_(client.loop(), [this] { Pump(); }) {
  kube::ReflectorSink& sink = *this;
  reflector_ = std::make_unique<kube::Reflector>(client_, deployments_, sink,
                                                 Random(random_.Next()), options_.reflector);
}

ManagedWriter::~ManagedWriter() = default;

const kube::Resource& ManagedWriter::ResourceOf(Kind kind) const {
  return kind == Kind::kDeployment ? deployments_ : services_;
}

std::string ManagedWriter::NameOf(const Id& id) const {
  return absl::StrCat(ResourceOf(id.first).kind, " ", from_.ns, "/", id.second);
}

ManagedWriter::Entry& ManagedWriter::EntryOf(const Id& id) {
  std::unique_ptr<Entry>& entry = entries_[id];
  if (entry == nullptr) {
    entry = std::make_unique<Entry>(client_.loop(), [this, id] { Consider(id); });
  }
  return *entry;
}

void ManagedWriter::Seen(const kube::Resource& resource, const kube::ApiObject& object) {
  const bool is_service = resource.group.empty() && resource.kind == "Service";
  if (is_service && object.key.ns == from_.ns) Hold({Kind::kService, object.key.name}, object);
}

void ManagedWriter::Gone(const kube::Resource& resource, const api::ObjectKey& key) {
  const bool is_service = resource.group.empty() && resource.kind == "Service";
  if (is_service && key.ns == from_.ns) Drop({Kind::kService, key.name});
}

void ManagedWriter::OnChanged(kube::ApiObject object) {
  if (object.key == from_) {
    own_ = std::move(object);
    return Wish();
  }
  Hold({Kind::kDeployment, object.key.name}, object);
}

void ManagedWriter::OnDeleted(const api::ObjectKey& key) {
  if (key != from_) return Drop({Kind::kDeployment, key.name});
  own_.reset();
  Wish();
}

void ManagedWriter::OnStatus(const kube::ReflectorStatus&) {
  Wish();
  if (wanted_ && !reflector_->has_synced()) on_errors_();
}

// What is nobody's business here is not held.
void ManagedWriter::Hold(const Id& id, const kube::ApiObject& object) {
  const auto known = entries_.find(id);
  const bool is_wished = known != entries_.end() && known->second->wish.is_map();
  if (!is_wished && !WasMade(object.node)) return Drop(id);
  Entry& entry = EntryOf(id);
  entry.seen = object;
  entry.terminating = IsTerminating(object.node);
  Consider(id);
}

void ManagedWriter::Drop(const Id& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  found->second->seen.reset();
  Consider(id);
}

void ManagedWriter::Want(api::ManagedGateways wanted) {
  if (wanted_ == wanted) return;
  wanted_ = std::move(wanted);
  Wish();
}

// What there is to be, of the Gateways and of the Deployment that theirs are made of. Where that
// cannot be known nothing is another than it was.
void ManagedWriter::Wish() {
  if (!wanted_ || !reflector_->has_synced()) return;
  const std::map<api::ObjectKey, std::string> unmade_before = std::exchange(unmade_, {});
  std::set<Id> wished;
  for (const api::ManagedGateway& gateway : wanted_->made) {
    const std::string name = api::ManagedName(gateway.gateway);
    const Id ids[] = {{Kind::kDeployment, name}, {Kind::kService, name}};
    wished.insert(std::begin(ids), std::end(ids));
    absl::StatusOr<Node> deployment =
        own_ ? MakeDeployment(own_->node, gateway, from_.ns)
             : absl::NotFoundError(absl::StrCat("Deployment ", from_.ns, "/", from_.name,
                                                " does not exist (--managed-from)"));
    if (!deployment.ok()) {
      unmade_[gateway.gateway] = std::string(deployment.status().message());
      continue;
    }
    Node wishes[] = {*std::move(deployment), MakeService(gateway, from_.ns)};
    for (size_t i = 0; i < std::size(ids); ++i) {
      Entry& entry = EntryOf(ids[i]);
      entry.gateway = gateway.gateway;
      entry.wish_json = kube::ToJson(wishes[i]);
      entry.wish = std::move(wishes[i]);
    }
  }
  for (auto& [id, entry] : entries_) {
    if (!wished.contains(id)) entry->wish = {};
  }
  ConsiderAll();
  if (unmade_ != unmade_before) {
    for (const auto& [gateway, why] : unmade_) {
      Log(LogLevel::kWarning, "A Gateway's Deployment cannot be made",
          {{"gateway", gateway.ns + "/" + gateway.name}, {"error", why}});
    }
    on_errors_();
  }
}

void ManagedWriter::SetActive(bool active) {
  active_ = active;
  for (auto& [id, entry] : entries_) {
    if (entry->call != nullptr) --calls_;
    entry->call.reset();
    entry->timer.Stop();
    entry->backoff.Reset();
    entry->error.clear();
    // Another may have written meanwhile.
    entry->applied.clear();
    entry->sent.clear();
  }
  ConsiderAll();
}

void ManagedWriter::ConsiderAll() {
  for (const auto& [id, entry] : entries_) Consider(id);
}

void ManagedWriter::Consider(const Id& id) {
  due_.insert(id);
  if (!pump_.active()) pump_.Start(Duration(0));
}

void ManagedWriter::Pump() {
  while (!due_.empty() && calls_ < options_.calls_max) {
    const Id id = *due_.begin();
    due_.erase(due_.begin());
    if (entries_.contains(id)) Compare(id);
  }
}

ManagedWriter::Step ManagedWriter::NextStep(const Entry& entry) const {
  // What is being deleted has to be gone first.
  if (entry.seen && entry.terminating) return Step::kNone;
  if (entry.wish.is_map()) {
    if (!entry.seen || entry.applied != entry.wish_json) {
      const bool is_there = entry.seen && ViewOf(entry.seen->node, entry.wish) == entry.wish_json;
      return is_there ? Step::kNone : Step::kApply;
    }
    const std::string view = ViewOf(entry.seen->node, entry.wish);
    return view == entry.kept || view == entry.wish_json ? Step::kNone : Step::kApply;
  }
  if (!entry.seen || !WasMade(entry.seen->node)) return Step::kNone;
  const bool is_somebodys =
      wanted_->kept.contains(entry.seen->key.name) ||
      std::any_of(wanted_->made.begin(), wanted_->made.end(), [&](const auto& gateway) {
        return api::ManagedName(gateway.gateway) == entry.seen->key.name;
      });
  return is_somebodys ? Step::kNone : Step::kDelete;
}

void ManagedWriter::Compare(const Id& id) {
  if (!active_ || !wanted_ || !reflector_->has_synced()) return;
  Entry& entry = *entries_.at(id);
  if (entry.call != nullptr) return;
  const Step step = NextStep(entry);
  const bool wish_changed = entry.wish.is_map() && entry.sent != entry.wish_json;
  if (step == Step::kNone) {
    if (entry.timer.active()) return;
    entry.backoff.Reset();
    if (!entry.seen && !entry.wish.is_map()) {
      entries_.erase(id);
    }
    return;
  }
  if (entry.timer.active() && !wish_changed) return;
  entry.timer.Stop();
  step == Step::kApply ? Apply(id, entry) : Delete(id, entry);
}

void ManagedWriter::Apply(const Id& id, Entry& entry) {
  ++calls_;
  entry.sent = entry.wish_json;
  // May be sent twice: what is there already is no change.
  entry.call =
      client_.Send({.method = "PATCH",
                    .target = kube::ObjectTarget(ResourceOf(id.first), {from_.ns, id.second}) +
                              "?fieldManager=penstock&force=true",
                    .content_type = "application/apply-patch+yaml",
                    .body = entry.wish_json,
                    .may_repeat = true},
                   [this, id](const kube::ApiAnswer& answer) { OnApplied(id, answer); });
}

void ManagedWriter::Delete(const Id& id, Entry& entry) {
  ++calls_;
  entry.sent.clear();
  entry.call =
      client_.Send({.method = "DELETE",
                    .target = kube::ObjectTarget(ResourceOf(id.first), {from_.ns, id.second}),
                    .content_type = "application/json",
                    .body = DeleteOptions(entry.seen->uid),
                    .may_repeat = true},
                   [this, id](const kube::ApiAnswer& answer) { OnRemoved(id, answer); });
}

void ManagedWriter::OnApplied(const Id& id, const kube::ApiAnswer& answer) {
  Entry& entry = *entries_.at(id);
  entry.call.reset();
  --calls_;
  const auto object = kube::ReadObject(answer.body, ResourceOf(id.first));
  if (!answer.ok() || !object.ok()) {
    OnFailure(id, entry, answer);
  } else {
    ++counts_.applied;
    Log(LogLevel::kInfo, "What a Gateway is served by was written",
        {{"object", NameOf(id)}, {"gateway", entry.gateway.ns + "/" + entry.gateway.name}});
    entry.applied = entry.sent;
    if (entry.sent == entry.wish_json) entry.kept = ViewOf(object->node, entry.wish);
    // Until the watch has told of it there is nothing to compare with.
    entry.timer.Start(entry.backoff.Next(random_));
    if (!std::exchange(entry.error, "").empty()) on_errors_();
  }
  Consider(id);
}

void ManagedWriter::OnRemoved(const Id& id, const kube::ApiAnswer& answer) {
  Entry& entry = *entries_.at(id);
  entry.call.reset();
  --calls_;
  const bool is_gone =
      answer.ok() || (answer.failure == kube::ApiFailure::kNone && answer.status == 404);
  if (!is_gone) {
    OnFailure(id, entry, answer);
  } else {
    ++counts_.deleted;
    Log(LogLevel::kInfo, "What served a Gateway that is no more was deleted",
        {{"object", NameOf(id)}});
    entry.timer.Start(entry.backoff.Next(random_));
  }
  Consider(id);
}

void ManagedWriter::OnFailure(const Id& id, Entry& entry, const kube::ApiAnswer& answer) {
  const int status = answer.failure == kube::ApiFailure::kNone ? answer.status : 0;
  const bool refused = IsRefusal(status);
  ++(refused ? counts_.refused : counts_.failed);
  if (refused) {
    entry.timer.Start(
        kube::Between(options_.slow_retry * 4 / 5, options_.slow_retry * 6 / 5, random_));
  } else {
    entry.timer.Start(std::max(entry.backoff.Next(random_), answer.retry_after));
  }
  // A conflict is somebody else's writing at the same moment.
  const std::string error = status == 409 ? "" : answer.Why();
  if (std::exchange(entry.error, error) == error) return;
  if (!error.empty()) {
    Log(LogLevel::kWarning, "What a Gateway is served by could not be written",
        {{"object", NameOf(id)}, {"error", error}});
  }
  on_errors_();
}

void ManagedWriter::Explain(api::StatusSet* statuses) const {
  std::map<api::ObjectKey, std::vector<std::string>> errors;
  for (const auto& [gateway, why] : unmade_) errors[gateway].push_back(why);
  for (const auto& [id, entry] : entries_) {
    if (entry->error.empty() || !entry->wish.is_map()) continue;
    errors[entry->gateway].push_back(
        absl::StrCat(NameOf(id), " could not be written: ", entry->error));
  }
  const kube::ReflectorStatus& read = reflector_->status();
  if (wanted_ && !reflector_->has_synced() && !read.error.empty()) {
    for (const api::ManagedGateway& gateway : wanted_->made) {
      errors[gateway.gateway].push_back(
          absl::StrCat("Deployments of namespace ", from_.ns, " cannot be read: ", read.error));
    }
  }
  for (auto& [ref, status] : *statuses) {
    if (ref.kind != "Gateway") continue;
    const auto found = errors.find({ref.ns, ref.name});
    const api::Condition* programmed = api::FindCondition(status.conditions, "Programmed");
    if (found == errors.end() || programmed == nullptr) continue;
    api::Condition explained = *programmed;
    for (const std::string& error : found->second) {
      absl::StrAppend(&explained.message, explained.message.empty() ? "" : "; ", error);
    }
    api::SetCondition(&status.conditions, explained);
  }
}

}  // namespace gw::config
