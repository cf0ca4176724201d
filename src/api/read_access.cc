#include "api/read_access.h"

#include <charconv>
#include <string>
#include <string_view>

#include "api/annotations.h"
#include "api/names.h"

namespace gw::api {
namespace {

constexpr int64_t kCountMax = 1'000'000'000'000;
// A tenant that weighs a millionth of another is none.
constexpr double kWeightMin = 0.001;
constexpr double kWeightMax = 1000;

const std::string* Find(const ObjectInput& in, const char* annotation) {
  const auto found = in.meta.annotations.find(annotation);
  return found == in.meta.annotations.end() ? nullptr : &found->second;
}

void Fault(const ObjectInput& in, const char* annotation, std::string_view wanted) {
  in.top.Get("metadata")
      .At("annotations")
      .At(annotation)
      .Error(std::string(wanted) + ", got " + Quoted(*Find(in, annotation)));
}

std::optional<int64_t> ReadCount(const ObjectInput& in, const char* annotation) {
  const std::string* const text = Find(in, annotation);
  if (text == nullptr) return std::nullopt;
  int64_t count = 0;
  const char* const end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, count);
  if (error == std::errc() && stop == end && count >= 1 && count <= kCountMax) return count;
  Fault(in, annotation, "must be a whole number of 1 to 1000000000000");
  return std::nullopt;
}

// "app=chat,tier=gold"
bool ParseLabels(std::string_view text, StringMap* labels) {
  while (true) {
    const size_t comma = text.find(',');
    const std::string_view pair = text.substr(0, comma);
    const size_t equals = pair.find('=');
    if (equals == pair.npos) return false;
    const std::string_view key = pair.substr(0, equals);
    const std::string_view value = pair.substr(equals + 1);
    if (!IsLabelKey(key) || !IsLabelValue(value)) return false;
    if (!labels->emplace(key, value).second) return false;
    if (comma == text.npos) return true;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

RateLimits ReadRateLimits(const ObjectInput& in) {
  return {ReadCount(in, kRequestsPerMinuteAnnotation), ReadCount(in, kTokensPerMinuteAnnotation)};
}

QueueTerms ReadQueueTerms(const ObjectInput& in) {
  QueueTerms terms{.requests_max = ReadCount(in, kConcurrentRequestsAnnotation),
                   .tokens_max = ReadCount(in, kConcurrentTokensAnnotation)};
  if (const std::string* const text = Find(in, kQueueWeightAnnotation)) {
    const char* const end = text->data() + text->size();
    const auto [stop, error] = std::from_chars(text->data(), end, terms.weight);
    const bool fits = error == std::errc() && stop == end && terms.weight >= kWeightMin &&
                      terms.weight <= kWeightMax;
    if (!fits) {
      terms.weight = 1;
      Fault(in, kQueueWeightAnnotation, "must be a number of 0.001 to 1000");
    }
  }
  return terms;
}

std::optional<KeyAccess> ReadKeyAccess(const ObjectInput& in) {
  const std::string* const selector = Find(in, kApiKeysAnnotation);
  if (selector == nullptr) {
    for (const char* other :
         {kApiKeysForwardAnnotation, kRequestsPerMinuteAnnotation, kTokensPerMinuteAnnotation}) {
      if (Find(in, other) == nullptr) continue;
      Fault(in, other, std::string("is of use beside ") + kApiKeysAnnotation + " only");
    }
    return std::nullopt;
  }
  KeyAccess access;
  access.open = *selector == "none";
  if (!access.open && !ParseLabels(*selector, &access.labels)) {
    Fault(in, kApiKeysAnnotation,
          "must be labels of Secrets, such as \"app=api-keys\" or \"app=api-keys,tier=gold\", or "
          "\"none\"");
  }
  access.limits = ReadRateLimits(in);
  if (const std::string* const forward = Find(in, kApiKeysForwardAnnotation)) {
    access.forward = *forward == "true";
    if (*forward != "true" && *forward != "false") {
      Fault(in, kApiKeysForwardAnnotation, "must be \"true\" or \"false\"");
    }
  }
  return access;
}

}  // namespace gw::api
