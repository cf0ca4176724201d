#include "api/meta.h"

#include <algorithm>

namespace gw::api {

std::string SourceRef::ToString() const {
  if (line <= 0) return file;
  return file.empty() ? "line " + std::to_string(line) : file + ":" + std::to_string(line);
}

std::string ObjectRef::ToString() const {
  std::string out = kind.empty() ? "object" : kind;
  out += ' ';
  if (!ns.empty()) out += ns + "/";
  return out + name;
}

std::string ObjectRef::ApiVersion() const {
  return group.empty() ? version : group + "/" + version;
}

std::string_view ObjectMeta::annotation(std::string_view key) const {
  const auto found = annotations.find(std::string(key));
  return found == annotations.end() ? std::string_view() : std::string_view(found->second);
}

std::string ObjectMeta::Where(std::string_view path) const {
  const auto found = lines.find(path);
  if (found == lines.end() || source.file.empty()) return "";
  return " (" + SourceRef{source.file, found->second}.ToString() + ")";
}

std::string ObjectMeta::WhereAnnotation(std::string_view key) const {
  return Where("metadata.annotations[\"" + std::string(key) + "\"]");
}

bool LabelsMatch(const StringMap& wanted, const StringMap& labels) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& pair) {
    const auto found = labels.find(pair.first);
    return found != labels.end() && found->second == pair.second;
  });
}

bool LabelSelector::Matches(const StringMap& labels) const {
  if (!LabelsMatch(match_labels, labels)) return false;
  for (const LabelRequirement& requirement : match_expressions) {
    const auto found = labels.find(requirement.key);
    const bool has = found != labels.end();
    const auto& values = requirement.values;
    const bool among =
        has && std::find(values.begin(), values.end(), found->second) != values.end();
    switch (requirement.op) {
      case LabelRequirement::Operator::kIn:
        if (!among) return false;
        break;
      case LabelRequirement::Operator::kNotIn:
        // As in Kubernetes, a label that is missing is not in any set.
        if (among) return false;
        break;
      case LabelRequirement::Operator::kExists:
        if (!has) return false;
        break;
      case LabelRequirement::Operator::kDoesNotExist:
        if (has) return false;
        break;
    }
  }
  return true;
}

}  // namespace gw::api
