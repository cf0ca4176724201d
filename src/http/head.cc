#include "http/head.h"

#include "base/text.h"
#include "http/chars.h"

namespace gw::http {

const HeaderField* HeaderList::Find(std::string_view name) const {
  for (const HeaderField& field : fields_) {
    if (EqualsIgnoreCase(field.name, name)) return &field;
  }
  return nullptr;
}

size_t HeaderList::Count(std::string_view name) const {
  size_t count = 0;
  for (const HeaderField& field : fields_) count += EqualsIgnoreCase(field.name, name);
  return count;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && ToLower(a[i]) != ToLower(b[i])) return false;
  }
  return true;
}

bool HasListElement(std::string_view value, std::string_view element) {
  while (!value.empty()) {
    if (EqualsIgnoreCase(NextListElement(&value), element)) return true;
  }
  return false;
}

int StatusOf(HeadError error) {
  switch (error) {
    case HeadError::kNone:
      return 200;
    case HeadError::kMalformed:
    case HeadError::kAmbiguousName:
    case HeadError::kBadFraming:
    case HeadError::kHostMissing:
      return 400;
    case HeadError::kHeadTooLarge:
    case HeadError::kTooManyHeaders:
      return 431;
    case HeadError::kTargetTooLong:
      return 414;
    case HeadError::kVersionUnsupported:
      return 505;
    case HeadError::kExpectationFailed:
      return 417;
  }
  return 400;
}

std::string_view NameOf(HeadError error) {
  switch (error) {
    case HeadError::kNone:
      return "none";
    case HeadError::kMalformed:
      return "malformed";
    case HeadError::kAmbiguousName:
      return "ambiguous_name";
    case HeadError::kBadFraming:
      return "bad_framing";
    case HeadError::kHeadTooLarge:
      return "head_too_large";
    case HeadError::kTooManyHeaders:
      return "too_many_headers";
    case HeadError::kTargetTooLong:
      return "target_too_long";
    case HeadError::kVersionUnsupported:
      return "version_unsupported";
    case HeadError::kHostMissing:
      return "host_missing";
    case HeadError::kExpectationFailed:
      return "expectation_failed";
  }
  return "malformed";
}

}  // namespace gw::http
