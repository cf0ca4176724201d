#include "api/conditions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <tuple>

namespace gw::api {
namespace {

struct KindNames {
  std::string_view kind;
  std::array<std::string_view, 5> arguments;  // plural, short names, handy abbreviations
};

// In the order of printing.
constexpr KindNames kKindNames[] = {
    {"GatewayClass", {"gatewayclasses", "gc", "classes", "class", ""}},
    {"Gateway", {"gateways", "gtw", "gw", "", ""}},
    {"HTTPRoute", {"httproutes", "routes", "route", "", ""}},
    {"BackendTLSPolicy", {"backendtlspolicies", "btlspolicy", "tlspolicies", "", ""}},
    {"InferencePool", {"inferencepools", "infpool", "xinfpool", "pools", "pool"}},
    {"InferenceModel", {"inferencemodels", "infmodel", "models", "model", ""}},
    {"InferenceObjective", {"inferenceobjectives", "objectives", "objective", "", ""}},
    {"InferenceModelRewrite", {"inferencemodelrewrites", "rewrites", "rewrite", "", ""}},
    {"Backend", {"backends", "", "", "", ""}},
    {"ModelRelease", {"modelreleases", "releases", "release", "", ""}},
    {"InferenceTrafficPolicy", {"inferencetrafficpolicies", "policies", "policy", "", ""}},
};

// Conditions that are good news when False.
constexpr std::string_view kNegative[] = {"Conflicted", "PartiallyInvalid", "Stale"};
// Conditions that say what is so; that somebody wanted it is as likely as not.
constexpr std::string_view kNeutral[] = {"InsecureFrontendValidationMode", "OverlappingTLSConfig"};

size_t Rank(std::string_view kind) {
  for (size_t i = 0; i < std::size(kKindNames); ++i) {
    if (kKindNames[i].kind == kind) return i;
  }
  return std::size(kKindNames);
}

bool IsOneOf(std::span<const std::string_view> types, const Condition& condition) {
  return std::find(types.begin(), types.end(), condition.type) != types.end();
}

// True if `test` holds for some condition of the object, its listeners or its parents.
template <class Test>
bool Any(const ObjectStatus& status, Test test) {
  const auto any = [&](const std::vector<Condition>& conditions) {
    return std::any_of(conditions.begin(), conditions.end(), test);
  };
  return any(status.conditions) ||
         std::any_of(status.listeners.begin(), status.listeners.end(),
                     [&](const ListenerStatus& listener) { return any(listener.conditions); }) ||
         std::any_of(status.parents.begin(), status.parents.end(),
                     [&](const ParentStatus& parent) { return any(parent.conditions); });
}

// A message of several lines stays within its column.
std::string OneLine(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\n') {
      out += "; ";
    } else {
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

void AppendConditions(std::string* out, const std::vector<Condition>& conditions, int indent) {
  if (conditions.empty()) return;
  size_t type_width = 4;
  size_t reason_width = 6;
  for (const Condition& condition : conditions) {
    type_width = std::max(type_width, condition.type.size());
    reason_width = std::max(reason_width, condition.reason.size());
  }
  // In files the generation is 1 unless it is given, and then it tells nothing.
  const bool observed = std::any_of(conditions.begin(), conditions.end(),
                                    [](const Condition& c) { return c.observed_generation != 1; });
  const auto line = [&](std::string_view type, std::string_view status, std::string_view reason,
                        std::string_view generation, std::string_view message) {
    std::string text = fmt::format("{:{}}{:<{}}  {:<7}  {:<{}}  ", "", indent, type, type_width,
                                   status, reason, reason_width);
    if (observed) text += fmt::format("{:<8}  ", generation);
    text += message;
    text.erase(text.find_last_not_of(' ') + 1);
    *out += text + "\n";
  };
  line("TYPE", "STATUS", "REASON", "OBSERVED", "MESSAGE");
  for (const Condition& condition : conditions) {
    line(condition.type, NameOf(condition.status), condition.reason,
         std::to_string(condition.observed_generation), OneLine(condition.message));
  }
}

void AppendListener(std::string* out, const ListenerStatus& listener) {
  std::string kinds;
  for (const SupportedKind& kind : listener.supported_kinds) {
    if (!kinds.empty()) kinds += ", ";
    kinds += kind.kind;
  }
  *out += fmt::format("  listener {}: {} attached route{}, kinds {}\n", listener.name,
                      listener.attached_routes, listener.attached_routes == 1 ? "" : "s",
                      kinds.empty() ? "none" : kinds);
  AppendConditions(out, listener.conditions, 4);
}

std::string NameOf(const ParentStatus& parent) {
  const ParentRef& ref = parent.parent_ref;
  std::string name = ref.ns.empty() ? ref.name : ref.ns + "/" + ref.name;
  if (!ref.section_name.empty()) name += ", listener " + ref.section_name;
  if (ref.port) name += ", port " + std::to_string(*ref.port);
  return "parent " + ref.kind + " " + name;
}

void AppendParent(std::string* out, const ParentStatus& parent) {
  *out += fmt::format("  {} ({})\n", NameOf(parent), parent.controller_name);
  AppendConditions(out, parent.conditions, 4);
}

// Appends what is bad of one part of an object. Every bad condition has a reason, most a message.
void AppendBad(std::string* out, const std::string& part,
               const std::vector<Condition>& conditions) {
  for (const Condition& condition : conditions) {
    if (!IsBad(condition)) continue;
    if (!out->empty()) *out += "; ";
    if (!part.empty()) *out += part + ": ";
    *out += condition.type + ": " + condition.reason;
    if (!condition.message.empty()) *out += ": " + OneLine(condition.message);
  }
}

}  // namespace

std::string_view NameOf(ConditionStatus status) {
  switch (status) {
    case ConditionStatus::kTrue:
      return "True";
    case ConditionStatus::kFalse:
      return "False";
    case ConditionStatus::kUnknown:
      break;
  }
  return "Unknown";
}

void SetCondition(std::vector<Condition>* conditions, Condition condition) {
  for (Condition& known : *conditions) {
    if (known.type == condition.type) {
      known = std::move(condition);
      return;
    }
  }
  conditions->push_back(std::move(condition));
}

const Condition* FindCondition(const std::vector<Condition>& conditions, std::string_view type) {
  for (const Condition& condition : conditions) {
    if (condition.type == type) return &condition;
  }
  return nullptr;
}

bool ObjectRefLess::operator()(const ObjectRef& a, const ObjectRef& b) const {
  const size_t rank_a = Rank(a.kind);
  const size_t rank_b = Rank(b.kind);
  return std::tie(rank_a, a.kind, a.ns, a.name, a.group, a.version) <
         std::tie(rank_b, b.kind, b.ns, b.name, b.group, b.version);
}

bool IsBad(const Condition& condition) {
  if (IsOneOf(kNeutral, condition)) return false;
  return condition.status ==
         (IsOneOf(kNegative, condition) ? ConditionStatus::kTrue : ConditionStatus::kFalse);
}

bool IsRefused(const ObjectStatus& status) { return Any(status, IsBad); }

std::string WhyRefused(const ObjectStatus& status) {
  std::string out;
  for (const ListenerStatus& listener : status.listeners) {
    AppendBad(&out, "listener " + listener.name, listener.conditions);
  }
  for (const ParentStatus& parent : status.parents) {
    AppendBad(&out, NameOf(parent), parent.conditions);
  }
  AppendBad(&out, "", status.conditions);
  return out;
}

size_t RefusedCount(const StatusSet& statuses) {
  return static_cast<size_t>(std::count_if(
      statuses.begin(), statuses.end(), [](const auto& entry) { return IsRefused(entry.second); }));
}

std::string KindFromArgument(std::string_view argument) {
  std::string lower(argument);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (lower.empty()) return "";
  for (const KindNames& names : kKindNames) {
    std::string kind(names.kind);
    for (char& c : kind) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (lower == kind ||
        std::find(names.arguments.begin(), names.arguments.end(), lower) != names.arguments.end()) {
      return std::string(names.kind);
    }
  }
  return "";
}

StatusSet OfKind(const StatusSet& all, std::string_view kind) {
  if (kind.empty()) return all;
  StatusSet out;
  for (const auto& [ref, status] : all) {
    if (ref.kind == kind) out.emplace(ref, status);
  }
  return out;
}

std::string FormatStatus(const StatusSet& statuses) {
  std::string out;
  for (const auto& [ref, status] : statuses) {
    if (!out.empty()) out += '\n';
    out += ref.ToString();
    const std::string where = status.source.ToString();
    // An object without a name is named by its place already.
    if (!where.empty() && ref.name != "(" + where + ")") out += " (" + where + ")";
    out += '\n';
    AppendConditions(&out, status.conditions, 2);
    for (const std::string& feature : status.supported_features) {
      const bool first = &feature == &status.supported_features.front();
      out += (first ? "  supported features: " : ", ") + feature;
    }
    if (!status.supported_features.empty()) out += '\n';
    for (const GatewayAddress& address : status.addresses) {
      out += fmt::format("  address {} {}\n", address.type, address.value);
    }
    for (const ListenerStatus& listener : status.listeners) AppendListener(&out, listener);
    for (const ParentStatus& parent : status.parents) AppendParent(&out, parent);
    if (status.conditions.empty() && status.listeners.empty() && status.parents.empty()) {
      out += "  no conditions: nothing of this gateway refers to it\n";
    }
  }
  return out;
}

}  // namespace gw::api
