#include "routing/route_table.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/text.h"
#include "http/url.h"
#include "routing/sticky.h"

namespace gw {
namespace {

// The longest host that can be a DNS name; longer ones fit "*" only.
constexpr size_t kHostMax = 255;

// Abseil as Debian builds it has a string view of its own.
absl::string_view Key(std::string_view text) { return {text.data(), text.size()}; }

// 2: exact, 1: wildcard, 0: any.
int SpecificityOf(const std::string& pattern) {
  if (pattern == "*") return 0;
  return pattern.front() == '*' ? 1 : 2;
}

// Smaller sorts first: exact names, then wildcards from the longest, then "*".
auto HostKey(const std::string& pattern) {
  return std::make_tuple(-SpecificityOf(pattern), -static_cast<int64_t>(pattern.size()),
                         std::string_view(pattern));
}

std::string_view PathKey(const RouteMatch& match) {
  const bool everything = match.path_type == RouteMatch::PathType::kPrefix && match.path == "/";
  return everything ? std::string_view() : std::string_view(match.path);
}

// Precedence among entries that share listener, hostname and path.
bool ConditionsBefore(const RouteTable::Entry& a, const RouteTable::Entry& b) {
  const auto key = [](const RouteTable::Entry& e) {
    return std::make_tuple(e.match.method.empty(), -static_cast<int64_t>(e.match.headers.size()),
                           -static_cast<int64_t>(e.match.query.size()), e.created_unix_s,
                           std::string_view(e.route), e.rule_index, e.match_index);
  };
  return key(a) < key(b);
}

auto PlaceKey(const RouteTable::Entry& e) {
  return std::make_tuple(HostKey(e.listener_hostname), HostKey(e.hostname), e.match.path_type,
                         -static_cast<int64_t>(e.match.path.size()),
                         std::string_view(e.match.path));
}

// Of several conditions on one name only the first counts, as the Gateway API says.
template <typename Equal>
void DropRepeatedNames(std::vector<HeaderMatch>* conditions, Equal equal) {
  for (size_t i = 0; i < conditions->size(); ++i) {
    const std::string name = (*conditions)[i].name;
    auto repeated = [&](const HeaderMatch& other) { return equal(other.name, name); };
    conditions->erase(std::remove_if(conditions->begin() + static_cast<ptrdiff_t>(i) + 1,
                                     conditions->end(), repeated),
                      conditions->end());
  }
}

void Normalize(RouteTable::Entry* entry) {
  CHECK(entry->rule != nullptr);
  CHECK(!entry->hostname.empty() && !entry->listener_hostname.empty());
  RouteMatch& match = entry->match;
  if (match.path_type == RouteMatch::PathType::kRegex) {
    CHECK(match.path_regex != nullptr);
  } else {
    CHECK(!match.path.empty() && match.path.front() == '/');
    std::string storage;
    match.path = std::string(http::NormalPath(match.path, &storage));
  }
  if (match.path_type == RouteMatch::PathType::kPrefix) {
    while (match.path.size() > 1 && match.path.back() == '/') match.path.pop_back();
  }
  DropRepeatedNames(&match.headers, http::EqualsIgnoreCase);
  DropRepeatedNames(&match.query, std::equal_to<std::string_view>());
}

// Compares the comma-joined values of all fields of that name, without joining them: one field
// that says "a" and another that says "b" must not pass for "a".
bool HeaderEquals(const http::HeaderList& headers, const HeaderMatch& wanted) {
  std::string_view rest = wanted.value;
  bool found = false;
  for (const http::HeaderField& field : headers) {
    if (!http::EqualsIgnoreCase(field.name, wanted.name)) continue;
    if (found) {
      if (!rest.starts_with(',')) return false;
      rest.remove_prefix(1);
    }
    if (!rest.starts_with(field.value)) return false;
    rest.remove_prefix(field.value.size());
    found = true;
  }
  return found && rest.empty();
}

// The same for a regular expression, which needs the joined value.
bool HeaderFits(const http::HeaderList& headers, const HeaderMatch& wanted) {
  std::optional<std::string_view> only;
  std::string joined;
  for (const http::HeaderField& field : headers) {
    if (!http::EqualsIgnoreCase(field.name, wanted.name)) continue;
    if (!only && joined.empty()) {
      only = field.value;
      continue;
    }
    if (only) joined = *std::exchange(only, std::nullopt);
    joined += ',';
    joined += field.value;
  }
  return only ? wanted.regex->Matches(*only) : !joined.empty() && wanted.regex->Matches(joined);
}

bool QueryHolds(const HeaderMatch& wanted, std::string_view query) {
  const std::optional<std::string> value = http::QueryParam(query, wanted.name);
  if (!value) return false;
  return wanted.regex != nullptr ? wanted.regex->Matches(*value) : *value == wanted.value;
}

bool PathFits(const RouteMatch& match, std::string_view path) {
  if (match.path_type == RouteMatch::PathType::kExact) return path == match.path;
  if (match.path_type == RouteMatch::PathType::kRegex) return match.path_regex->Matches(path);
  const std::string_view prefix = PathKey(match);
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

bool IsOnModelName(const HeaderMatch& wanted) {
  return wanted.name.size() == kModelNameField.size() &&
         http::EqualsIgnoreCase(wanted.name, kModelNameField);
}

bool HeaderHolds(const HeaderMatch& wanted, const http::HeaderList& headers,
                 const RouteModel& model) {
  if (model.is != RouteModel::Is::kAsSent && IsOnModelName(wanted)) {
    if (model.is == RouteModel::Is::kAny) return true;
    return wanted.regex != nullptr ? wanted.regex->Matches(model.name) : wanted.value == model.name;
  }
  return wanted.regex != nullptr ? HeaderFits(headers, wanted) : HeaderEquals(headers, wanted);
}

bool TakesAllOfItsPath(const RouteMatch& match) {
  return match.method.empty() && match.headers.empty() && match.query.empty();
}

}  // namespace

bool ChoosesByModel(const RouteMatch& match) {
  return std::any_of(match.headers.begin(), match.headers.end(), IsOnModelName);
}

const Destination* RouteRule::Choose(Random& random) const {
  if (total_weight == 0) return nullptr;
  uint64_t draw = random.Below(total_weight);
  for (const Destination& destination : destinations) {
    if (draw < destination.weight) return &destination;
    draw -= destination.weight;
  }
  CHECK(false);  // total_weight is the sum of the weights
}

const Destination* RouteRule::Choose(Random& random,
                                     const std::function<bool(const Destination&)>& fits) const {
  uint64_t total = 0;
  for (const Destination& destination : destinations) {
    if (fits(destination)) total += destination.weight;
  }
  if (total == 0) return nullptr;
  uint64_t draw = random.Below(total);
  for (const Destination& destination : destinations) {
    if (!fits(destination)) continue;
    if (draw < destination.weight) return &destination;
    draw -= destination.weight;
  }
  CHECK(false);  // draw < total
}

const Destination* RouteRule::ChooseSticky(
    uint64_t value, const std::function<bool(const Destination&)>& fits) const {
  const Destination* chosen = nullptr;
  StickyChoice choice(value);
  for (const Destination& destination : destinations) {
    const bool leads =
        fits(destination) && choice.Leads(destination.sticky_key, destination.weight);
    if (leads) chosen = &destination;
  }
  return chosen;
}

template <typename T>
T& RouteTable::HostMap<T>::At(const std::string& pattern) {
  switch (SpecificityOf(pattern)) {
    case 0:
      if (!any) any.emplace();
      return *any;
    case 1:
      return wildcard[pattern.substr(1)];
    default:
      return exact[pattern];
  }
}

template <typename T>
template <typename Visit>
void RouteTable::HostMap<T>::ForEachMatch(std::string_view host, Visit visit) const {
  if (!exact.empty()) {
    const auto it = exact.find(Key(host));
    if (it != exact.end() && visit(it->second)) return;
  }
  if (!wildcard.empty()) {
    // From 1: the wildcard stands for at least one character.
    for (size_t dot = host.find('.', 1); dot != std::string_view::npos;
         dot = host.find('.', dot + 1)) {
      const auto it = wildcard.find(Key(host.substr(dot)));
      if (it != wildcard.end() && visit(it->second)) return;
    }
  }
  if (any) visit(*any);
}

std::shared_ptr<const RouteTable> RouteTable::Build(std::vector<Entry> entries,
                                                    std::vector<std::string> listener_hostnames) {
  for (Entry& entry : entries) Normalize(&entry);
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    const auto place_a = PlaceKey(a);
    const auto place_b = PlaceKey(b);
    return place_a != place_b ? place_a < place_b : ConditionsBefore(a, b);
  });
  return std::shared_ptr<const RouteTable>(new RouteTable(std::move(entries), listener_hostnames));
}

RouteTable::RouteTable(std::vector<Entry> entries,
                       const std::vector<std::string>& listener_hostnames)
    : entries_(std::move(entries)) {
  for (const Entry& entry : entries_) matches_model_name_ |= ChoosesByModel(entry.match);
  for (const std::string& hostname : listener_hostnames) listeners_.At(hostname);
  for (uint32_t begin = 0, end = 0; begin < entries_.size(); begin = end) {
    while (end < entries_.size() && PlaceKey(entries_[end]) == PlaceKey(entries_[begin])) ++end;
    AddRange({begin, end});
  }
}

void RouteTable::AddRange(Range range) {
  const Entry& first = entries_[range.begin];
  PathGroup& group = listeners_.At(first.listener_hostname).hosts.At(first.hostname);
  const std::string_view key = PathKey(first.match);
  if (first.match.path_type == RouteMatch::PathType::kExact) {
    group.exact.emplace(key, range);
    return;
  }
  if (first.match.path_type == RouteMatch::PathType::kRegex) {
    group.regexes.push_back(range);
    return;
  }
  group.prefix.emplace(key, range);
  // Ranges come sorted by the length of their path, longest first.
  if (group.prefix_lengths.empty() || group.prefix_lengths.back() != key.size()) {
    group.prefix_lengths.push_back(key.size());
  }
}

const RouteRule* RouteTable::Match(std::string_view host, std::string_view path,
                                   std::string_view query, const http::RequestHead& head,
                                   const RouteModel& model) const {
  char lower[kHostMax];
  if (host.size() > kHostMax) host = {};
  std::transform(host.begin(), host.end(), lower, [](char c) { return ToLower(c); });
  const std::string_view name(lower, host.size());
  std::string storage;
  const Question question{http::NormalPath(path, &storage), query, head, model};

  const RouteRule* rule = nullptr;
  listeners_.ForEachMatch(name, [&](const Listener& listener) {
    listener.hosts.ForEachMatch(name, [&](const PathGroup& group) {
      rule = MatchPath(group, question);
      return rule != nullptr;
    });
    return true;  // listeners hide each other
  });
  return rule;
}

std::vector<const RouteRule*> RouteTable::RulesFor(const RouteRule& rule,
                                                   std::string_view path) const {
  std::string storage;
  path = http::NormalPath(path, &storage);
  std::vector<const RouteRule*> rules;
  const Entry* of_host = nullptr;  // the rules are the same under each of the route's hostnames
  for (const Entry& entry : entries_) {
    if (of_host == nullptr && entry.rule.get() == &rule) of_host = &entry;
  }
  if (of_host == nullptr) return rules;
  for (const Entry& entry : entries_) {
    if (entry.listener_hostname != of_host->listener_hostname ||
        entry.hostname != of_host->hostname || !PathFits(entry.match, path)) {
      continue;
    }
    const bool counts = entry.rule->route == rule.route || ChoosesByModel(entry.match);
    if (counts && std::find(rules.begin(), rules.end(), entry.rule.get()) == rules.end()) {
      rules.push_back(entry.rule.get());
    }
    if (TakesAllOfItsPath(entry.match)) break;
  }
  return rules;
}

bool RouteTable::ConditionsHold(const RouteMatch& match, const Question& question) {
  if (!match.method.empty() && match.method != question.head.method) return false;
  for (const HeaderMatch& wanted : match.headers) {
    if (!HeaderHolds(wanted, question.head.headers, question.model)) return false;
  }
  for (const HeaderMatch& wanted : match.query) {
    if (!QueryHolds(wanted, question.query)) return false;
  }
  return true;
}

const RouteRule* RouteTable::MatchPath(const PathGroup& group, const Question& question) const {
  const std::string_view path = question.path;
  if (!group.exact.empty()) {
    const auto it = group.exact.find(path);
    if (it != group.exact.end()) {
      if (const RouteRule* rule = MatchRange(it->second, question)) return rule;
    }
  }
  for (const Range& range : group.regexes) {
    if (!path.starts_with('/')) break;  // the asterisk of OPTIONS is no path
    if (!entries_[range.begin].match.path_regex->Matches(path)) continue;
    if (const RouteRule* rule = MatchRange(range, question)) return rule;
  }
  // Lengths that occur in the table and not the path's own slashes, of which a client may send
  // thousands.
  for (const size_t length : group.prefix_lengths) {
    const bool at_element_end =
        path.size() > length ? path[length] == '/' : path.size() == length && length > 0;
    if (!at_element_end) continue;
    const auto it = group.prefix.find(path.substr(0, length));
    if (it == group.prefix.end()) continue;
    if (const RouteRule* rule = MatchRange(it->second, question)) return rule;
  }
  return nullptr;
}

const RouteRule* RouteTable::MatchRange(Range range, const Question& question) const {
  for (uint32_t i = range.begin; i < range.end; ++i) {
    if (ConditionsHold(entries_[i].match, question)) return entries_[i].rule.get();
  }
  return nullptr;
}

}  // namespace gw
