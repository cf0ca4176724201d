#include "routing/filters.h"

namespace gw {
namespace {

bool IsNamed(const http::HeaderField& field, std::string_view name) {
  return field.name.size() == name.size() && http::EqualsIgnoreCase(field.name, name);
}

void Remove(std::string_view name, std::vector<http::HeaderField>* fields) {
  std::erase_if(*fields, [name](const http::HeaderField& field) { return IsNamed(field, name); });
}

// What stands behind so many elements of the path: "" or from a "/" on.
std::string_view BehindElements(std::string_view path, size_t elements) {
  size_t at = 0;
  for (size_t i = 0; i < elements && at != std::string_view::npos; ++i) at = path.find('/', at + 1);
  return at == std::string_view::npos ? std::string_view() : path.substr(at);
}

uint16_t PortOf(const Redirect& redirect, const RequestUrl& request) {
  if (redirect.port != 0) return redirect.port;
  if (redirect.scheme.empty()) return request.listener_port;
  return redirect.scheme == "https" ? 443 : 80;
}

}  // namespace

void FieldEdits::Apply(std::vector<http::HeaderField>* fields) const {
  for (const Field& field : set) {
    Remove(field.name, fields);
    fields->push_back({field.name, field.value});
  }
  for (const Field& field : add) fields->push_back({field.name, field.value});
  for (const std::string& name : remove) Remove(name, fields);
}

void PathEdit::Append(std::string_view path, std::string* out) const {
  if (kind == Kind::kNone) {
    *out += path;
    return;
  }
  std::string_view front = value;
  std::string_view rest;
  if (kind == Kind::kPrefix) {
    while (front.ends_with('/')) front.remove_suffix(1);
    rest = BehindElements(path, prefix_elements);
  }
  if (front.empty() && rest.empty()) rest = "/";
  *out += front;
  *out += rest;
}

std::string LocationOf(const Redirect& redirect, const RequestUrl& request) {
  const std::string_view scheme =
      redirect.scheme.empty() ? request.scheme : std::string_view(redirect.scheme);
  const std::string_view host = redirect.hostname.empty() ? http::HostWithoutPort(request.authority)
                                                          : std::string_view(redirect.hostname);
  std::string location;
  if (!host.empty()) {
    location.append(scheme).append("://").append(host);
    const uint16_t port = PortOf(redirect, request);
    const bool implied = (scheme == "http" && port == 80) || (scheme == "https" && port == 443);
    if (!implied) location += ":" + std::to_string(port);
  }
  std::string path;
  redirect.path.Append(request.target.path, &path);
  // Without a host before it "//a/b" would be the path of another host.
  const size_t slashes = path.find_first_not_of('/');
  if (host.empty() && slashes != std::string::npos && slashes > 1) path.erase(0, slashes - 1);
  location += path;
  if (!request.target.query.empty()) location.append("?").append(request.target.query);
  return location;
}

const Redirect* FilterChain::redirect() const {
  if (destination != nullptr && destination->redirect) return &*destination->redirect;
  return rule != nullptr && rule->redirect ? &*rule->redirect : nullptr;
}

const CorsPolicy* FilterChain::cors() const {
  if (destination != nullptr && destination->cors) return &*destination->cors;
  return rule != nullptr && rule->cors ? &*rule->cors : nullptr;
}

std::string_view FilterChain::hostname() const {
  if (destination != nullptr && !destination->rewrite.hostname.empty())
    return destination->rewrite.hostname;
  return rule != nullptr ? std::string_view(rule->rewrite.hostname) : std::string_view();
}

const PathEdit* FilterChain::path() const {
  for (const RouteFilters* filters : {destination, rule}) {
    if (filters != nullptr && filters->rewrite.path.kind != PathEdit::Kind::kNone) {
      return &filters->rewrite.path;
    }
  }
  return nullptr;
}

void FilterChain::EditRequest(std::vector<http::HeaderField>* fields) const {
  if (rule != nullptr) rule->request.Apply(fields);
  if (destination != nullptr) destination->request.Apply(fields);
}

void FilterChain::EditResponse(const http::RequestHead& request,
                               std::vector<http::HeaderField>* fields) const {
  EditOwnAnswer(request, fields);
  if (destination != nullptr) destination->response.Apply(fields);
}

void FilterChain::EditOwnAnswer(const http::RequestHead& request,
                                std::vector<http::HeaderField>* fields) const {
  if (const CorsPolicy* const policy = cors()) {
    SetCorsFields(*policy, request, IsPreflight(request), fields);
  }
  if (rule != nullptr) rule->response.Apply(fields);
}

}  // namespace gw
