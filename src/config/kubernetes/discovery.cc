#include "config/kubernetes/discovery.h"

#include <utility>

#include "api/node.h"
#include "base/check.h"
#include "kube/json_node.h"

namespace gw::config {
namespace {

// The names in an APIResourceList. Subresources ("pods/status") do no harm among them.
absl::StatusOr<std::set<std::string>> PluralsOf(std::string_view json) {
  ASSIGN_OR_RETURN(const api::Node list, kube::ParseJson(json));
  const api::Node* resources = list.Find("resources");
  if (resources == nullptr || !resources->is_list()) {
    return absl::InvalidArgumentError("the answer is no list of resources");
  }
  std::set<std::string> plurals;
  for (const api::Node& resource : resources->items) {
    const api::Node* name = resource.Find("name");
    if (name != nullptr) plurals.insert(name->text);
  }
  return plurals;
}

}  // namespace

Discovery::Discovery(kube::ApiClient& client, const std::set<std::string>& api_versions,
                     Random random, std::function<void()> on_answer)
    : client_(client),
      random_(random),
      on_answer_(std::move(on_answer)),
      retry_(client.loop(), [this] {
        for (auto& [name, version] : versions_) {
          if (!version.error.empty()) AskFor(name, version);
        }
      }) {
  for (const std::string& api_version : api_versions) versions_[api_version];
}

void Discovery::Ask() {
  for (auto& [name, version] : versions_) AskFor(name, version);
}

void Discovery::AskFor(const std::string& api_version, Version& version) {
  if (version.call != nullptr) return;
  ++open_;
  version.call = client_.Send({.target = "/apis/" + api_version},
                              [this, &version](const auto& answer) { OnAnswer(version, answer); });
}

void Discovery::OnAnswer(Version& version, const kube::ApiAnswer& answer) {
  --open_;
  version.error.clear();
  const int status = answer.failure == kube::ApiFailure::kNone ? answer.status : 0;
  if (answer.ok()) {
    absl::StatusOr<std::set<std::string>> plurals = PluralsOf(answer.body);
    if (plurals.ok()) {
      version.plurals = *std::move(plurals);
    } else {
      version.error = std::string(plurals.status().message());
    }
  } else if (status == 404) {
    version.plurals.clear();
  } else if (status != 403) {
    version.error = answer.Why();
  }
  version.forbidden = status == 403;
  version.known |= version.error.empty();
  version.call.reset();
  if (!version.error.empty() && !retry_.active()) retry_.Start(backoff_.Next(random_));
  if (open_ == 0 && !retry_.active()) backoff_.Reset();
  on_answer_();
}

Discovery::Has Discovery::Find(const std::string& api_version, const std::string& plural) const {
  const auto found = versions_.find(api_version);
  CHECK(found != versions_.end());
  const Version& version = found->second;
  if (!version.known) return Has::kNotKnown;
  if (version.forbidden) return Has::kForbidden;
  return version.plurals.contains(plural) ? Has::kYes : Has::kNo;
}

const std::string& Discovery::ErrorOf(const std::string& api_version) const {
  return versions_.at(api_version).error;
}

}  // namespace gw::config
