// Where a form names its model: multipart/form-data (RFC 7578), as audio and images are sent with,
// and application/x-www-form-urlencoded.
//
// Parsers of forms differ. What two of them could read as different models is not read here: a name
// that is looked up must be the one that the model server takes.

#pragma once

#include <string>
#include <string_view>

#include "inference/request.h"

namespace gw {

enum class FormKind : uint8_t { kNone, kUrlEncoded, kMultipart };
FormKind FormKindOf(std::string_view content_type);

// True for the media types of JSON, "application/problem+json" and the like.
bool IsJsonType(std::string_view content_type);

struct FormField {
  std::string value;  // decoded
  ByteRange place;    // its bytes in the form
};
enum class FormOutcome : uint8_t {
  kAbsent,
  kFound,
  kUnclear,  // the field is there twice, or this is no form that all parsers read alike
};
// The field of that name (ASCII letters).
// REQUIRES: FormKindOf(content_type) is not kNone
FormOutcome FindFormField(std::string_view content_type, std::string_view form,
                          std::string_view name, FormField* field);

// `value` as it stands in such a form.
std::string FormText(FormKind kind, std::string_view value);

}  // namespace gw
