#include "config/kubernetes/cluster_reader.h"

#include <absl/strings/str_join.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "net/address.h"

namespace gw::config {
namespace {

constexpr size_t kNamedMax = 3;  // resources that share an error

// "a, b, c and 16 more"
std::string Named(const std::vector<std::string>& names) {
  const size_t shown = std::min(names.size(), kNamedMax);
  std::string text =
      absl::StrJoin(names.begin(), names.begin() + static_cast<ptrdiff_t>(shown), ", ");
  if (names.size() > shown) absl::StrAppend(&text, " and ", names.size() - shown, " more");
  return text;
}

// A server that is down is one error and not twenty: "pods, secrets ... cannot be read: ...".
std::vector<std::string> Gathered(
    const std::vector<std::pair<std::string, std::string>>& resource_and_error) {
  std::map<std::string, std::vector<std::string>> resources_by_error;
  for (const auto& [resource, error] : resource_and_error) {
    if (!error.empty()) resources_by_error[error].push_back(resource);
  }
  std::vector<std::string> texts;
  for (const auto& [error, resources] : resources_by_error) {
    texts.push_back(absl::StrCat(Named(resources), " cannot be read: ", error));
  }
  return texts;
}

}  // namespace

ClusterReader::ClusterReader(EventLoop& loop, kube::ServerUrl server,
                             kube::Credentials& credentials, Judge judge,
                             std::function<void()> on_news, const ClusterReaderOptions& options,
                             ClusterWriter* writer)
    : loop_(loop),
      server_(std::move(server)),
      credentials_(credentials),
      writer_(writer),
      on_news_(std::move(on_news)),
      options_(options),
      random_(options.seed),
      objects_(std::move(judge)),
      resolve_(loop, [this] { Resolve(); }),
      coalesce_(loop, [this] { OnCoalesced(); }),
      look_again_(loop, [this] { discovery_->Ask(); }) {
  resolve_.Start(Duration(0));
}

ClusterReader::~ClusterReader() = default;

// At first, and again while some resource cannot be reached: the name may stand for another address
// by now. An address that was given as such stays.
void ClusterReader::Resolve() {
  const absl::StatusOr<SocketAddress> address = SocketAddress::Resolve(server_.Authority());
  resolve_error_ = address.ok() ? "" : std::string(address.status().message());
  if (address.ok()) Connect(*address);
  if (!address.ok() || AnyUnreachable()) {
    resolve_.Start(backoff_.Next(random_));
  } else {
    backoff_.Reset();
  }
}

void ClusterReader::Connect(const SocketAddress& address) {
  if (writer_ != nullptr) writer_->Connect(address);
  if (client_ != nullptr) return client_->SetAddress(address);
  client_ = std::make_unique<kube::ApiClient>(
      loop_, kube::ApiServer{address, server_.Authority(), server_.path_prefix}, credentials_,
      options_.client);
  KindSink& sink = *this;
  std::set<std::string> api_versions;
  for (ClusterKind& kind : ClusterKinds()) {
    if (!kind.built_in()) {
      for (const auto& version : kind.versions) api_versions.insert(kind.ApiVersion(version));
    }
    kinds_.push_back(std::make_unique<KindWatch>(std::move(kind), *client_, sink, random_.Next(),
                                                 options_.reflector));
  }
  discovery_ = std::make_unique<Discovery>(*client_, api_versions, Random(random_.Next()),
                                           [this] { ChooseVersions(); });
  discovery_->Ask();
  ChooseVersions();  // of what is built in
}

void ClusterReader::ChooseVersions() {
  for (const auto& watch : kinds_) {
    const std::optional<std::string> version = VersionOf(*watch);
    if (version) watch->SetVersion(*version);
  }
  LookForAbsent();
  Note();
}

std::optional<std::string> ClusterReader::VersionOf(const KindWatch& watch) const {
  const ClusterKind& kind = watch.kind();
  if (kind.built_in()) return kind.versions.front();
  for (const std::string& version : kind.versions) {
    switch (discovery_->Find(kind.ApiVersion(version), kind.plural)) {
      case Discovery::Has::kYes:
        return version;
      case Discovery::Has::kNotKnown:
        return std::nullopt;
      case Discovery::Has::kForbidden:
        return NextVersion(watch);
      case Discovery::Has::kNo:
        break;
    }
  }
  return "";
}

// Where the server does not tell what it has, versions are tried in turn.
std::string ClusterReader::NextVersion(const KindWatch& watch) const {
  const std::vector<std::string>& versions = watch.kind().versions;
  if (watch.version().empty()) return versions.front();
  if (!watch.is_absent()) return watch.version();
  const auto at = std::find(versions.begin(), versions.end(), watch.version());
  return at + 1 == versions.end() ? versions.front() : *(at + 1);
}

void ClusterReader::LookForAbsent() {
  const bool any = std::any_of(kinds_.begin(), kinds_.end(),
                               [](const auto& watch) { return watch->is_absent(); });
  if (!any || look_again_.active()) return;
  look_again_.Start(
      kube::Between(options_.look_again * 4 / 5, options_.look_again * 6 / 5, random_));
}

void ClusterReader::OnObject(const kube::Resource& resource, kube::ApiObject read,
                             api::ParsedObject parsed) {
  if (writer_ != nullptr) writer_->Seen(resource, std::move(read));
  objects_.Put(std::move(parsed));
  Note();
}

void ClusterReader::OnGone(const kube::Resource& resource, const api::ObjectKey& key) {
  if (writer_ != nullptr) writer_->Gone(resource, key);
  objects_.Drop({resource.kind, resource.group, key.ns, key.name});
  Note();
}

void ClusterReader::OnState() {
  LookForAbsent();
  if (AnyUnreachable() && !resolve_.active()) resolve_.Start(Duration(0));
  Note();
}

bool ClusterReader::AnyUnreachable() const {
  return std::any_of(kinds_.begin(), kinds_.end(),
                     [](const auto& watch) { return watch->is_unreachable(); });
}

void ClusterReader::Note() {
  if (!coalesce_.active()) coalesce_.Start(options_.coalesce);
}

void ClusterReader::OnCoalesced() {
  NoteLimits();
  has_synced_ = has_synced_ || (!kinds_.empty() &&
                                std::all_of(kinds_.begin(), kinds_.end(),
                                            [](const auto& watch) { return watch->has_synced(); }));
  on_news_();
}

// An error that stays is one time that the limit was reached.
void ClusterReader::NoteLimits() {
  std::vector<std::string> errors = Errors();
  for (const std::string& error : errors) {
    const bool is_new =
        std::find(errors_before_.begin(), errors_before_.end(), error) == errors_before_.end();
    for (const std::string_view limit : kClusterLimits) {
      if (is_new && error.find(absl::StrCat("(limit ", std::string(limit), ")")) != error.npos) {
        objects_.NoteLimit(limit);
      }
    }
  }
  errors_before_ = std::move(errors);
}

std::vector<std::string> ClusterReader::Errors() const {
  std::vector<std::pair<std::string, std::string>> errors;
  for (const auto& watch : kinds_) errors.emplace_back(watch->kind().Name(), watch->Trouble());
  return Gathered(errors);
}

std::string ClusterReader::WhyUnknown(const KindWatch& watch) const {
  if (std::string trouble = watch.Trouble(); !trouble.empty()) return trouble;
  const ClusterKind& kind = watch.kind();
  if (!kind.built_in()) {
    for (const std::string& version : kind.versions) {
      const std::string& error = discovery_->ErrorOf(kind.ApiVersion(version));
      if (!error.empty()) return error;
    }
  }
  return "not answered yet";
}

std::string ClusterReader::WhyNotSynced() const {
  if (has_synced_) return "";
  if (kinds_.empty()) {
    return resolve_error_.empty() ? "its name was not looked up yet" : resolve_error_;
  }
  std::vector<std::pair<std::string, std::string>> errors;
  for (const auto& watch : kinds_) {
    if (!watch->has_synced()) errors.emplace_back(watch->kind().Name(), WhyUnknown(*watch));
  }
  return absl::StrJoin(Gathered(errors), "; ");
}

std::optional<Change> ClusterReader::TakeChange() {
  if (!has_synced_) return std::nullopt;
  constexpr int64_t kNanosPerSecond = 1'000'000'000;
  std::vector<std::string> unread;
  for (const auto& watch : kinds_) {
    if (!watch->Trouble().empty()) unread.push_back(watch->kind().Name());
  }
  std::sort(unread.begin(), unread.end());
  return objects_.TakeChange(Errors(), loop_.clock().UnixNanos() / kNanosPerSecond,
                             std::move(unread));
}

}  // namespace gw::config
