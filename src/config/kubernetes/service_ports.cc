#include "config/kubernetes/service_ports.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "kube/json_node.h"
#include "kube/node_edit.h"

namespace gw::config {
namespace {

std::string NameOf(int64_t port) { return absl::StrCat("port-", port); }

// By its name alone: who gives a port that name leaves it to us.
bool IsOurs(const api::Node& entry, int64_t port) {
  return kube::TextAt(&entry, "name") == NameOf(port);
}

api::Node EntryOf(uint16_t port) {
  api::Node entry = kube::MapNode();
  kube::SetMember(&entry, "name", kube::TextNode(NameOf(port)));
  kube::SetMember(&entry, "port", kube::NumberNode(port));
  kube::SetMember(&entry, "protocol", kube::TextNode("TCP"));
  kube::SetMember(&entry, "targetPort", kube::NumberNode(port));
  return entry;
}

// The entries that shall stand there; those that stay are as they were, with their node ports.
std::vector<api::Node> EntriesFor(const std::vector<api::Node>& there,
                                  const std::vector<uint16_t>& ports) {
  std::vector<api::Node> entries;
  std::vector<uint16_t> missing = ports;
  for (const api::Node& entry : there) {
    const int64_t port = kube::IntegerAt(&entry, "port").value_or(0);
    const bool is_tcp = kube::TextAt(&entry, "protocol") != "UDP";
    const bool is_wanted = std::binary_search(ports.begin(), ports.end(), port);
    if (IsOurs(entry, port) && !is_wanted) continue;
    if (is_tcp) std::erase(missing, port);
    entries.push_back(entry);
  }
  for (const uint16_t port : missing) entries.push_back(EntryOf(port));
  return entries;
}

}  // namespace

std::string ServicePortsPatch(const api::Node& service, const std::vector<uint16_t>& ports) {
  const api::Node* spec = kube::MapAt(&service, "spec");
  const std::vector<api::Node>& there = kube::ItemsAt(spec, "ports");
  api::Node list = kube::ListNode();
  list.items = EntriesFor(there, ports);
  if (list.items.empty()) return "";
  api::Node before = kube::ListNode();
  before.items = there;
  if (kube::ToJson(list) == kube::ToJson(before)) return "";
  api::Node metadata = kube::MapNode();
  const api::Node* read = kube::MapAt(&service, "metadata");
  kube::SetMember(&metadata, "resourceVersion",
                  kube::TextNode(kube::TextAt(read, "resourceVersion")));
  api::Node of_spec = kube::MapNode();
  kube::SetMember(&of_spec, "ports", std::move(list));
  api::Node patch = kube::MapNode();
  kube::SetMember(&patch, "metadata", std::move(metadata));
  kube::SetMember(&patch, "spec", std::move(of_spec));
  return kube::ToJson(patch);
}

ServicePorts::ServicePorts(kube::ApiClient& client, api::ObjectKey service, Random random)
    : client_(client),
      service_(std::move(service)),
      random_(random),
      retry_(client.loop(), [this] { Consider(); }) {}

bool ServicePorts::IsService(const kube::Resource& resource, const api::ObjectKey& key) const {
  return resource.group.empty() && resource.kind == "Service" && key == service_;
}

void ServicePorts::Seen(const kube::Resource& resource, const kube::ApiObject& object) {
  if (!IsService(resource, object.key)) return;
  seen_ = object;
  Consider();
}

void ServicePorts::Gone(const kube::Resource& resource, const api::ObjectKey& key) {
  if (IsService(resource, key)) seen_.reset();
}

void ServicePorts::Want(std::vector<uint16_t> ports) {
  wanted_ = std::move(ports);
  Consider();
}

void ServicePorts::SetActive(bool active) {
  active_ = active;
  if (!active) {
    call_.reset();
    retry_.Stop();
  }
  sent_version_.clear();
  Consider();
}

// One request at a time, and after one that failed not before its time unless the Service is
// another.
void ServicePorts::Consider() {
  if (!active_ || !wanted_ || !seen_ || call_ != nullptr) return;
  if (retry_.active() && seen_->resource_version == sent_version_) return;
  std::string patch = ServicePortsPatch(seen_->node, *wanted_);
  if (patch.empty()) return;
  retry_.Stop();
  sent_version_ = seen_->resource_version;
  const kube::Resource services{.version = "v1", .plural = "services", .kind = "Service"};
  // May be sent twice: of two, the second is a conflict.
  call_ = client_.Send({.method = "PATCH",
                        .target = kube::ObjectTarget(services, service_),
                        .content_type = "application/merge-patch+json",
                        .body = std::move(patch),
                        .may_repeat = true},
                       [this](const kube::ApiAnswer& answer) { OnAnswer(answer); });
}

void ServicePorts::OnAnswer(const kube::ApiAnswer& answer) {
  call_.reset();
  const std::string error = answer.ok() || answer.status == 409 ? "" : answer.Why();
  if (std::exchange(error_, error) != error && !error.empty()) {
    Log(LogLevel::kWarning, "The ports of the Service could not be set",
        {{"namespace", service_.ns}, {"name", service_.name}, {"error", error}});
  }
  if (answer.ok()) backoff_.Reset();
  // The watch tells what has become of it; until then there is nothing to compare with.
  retry_.Start(backoff_.Next(random_));
  Consider();
}

}  // namespace gw::config
