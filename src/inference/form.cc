#include "inference/form.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"

namespace gw {
namespace {

constexpr std::string_view kCrLf = "\r\n";
constexpr size_t kBoundaryMax = 200;

bool SameWord(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return ToLower(x) == ToLower(y);
         });
}

std::string_view MediaType(std::string_view content_type) {
  return Trimmed(content_type.substr(0, content_type.find(';')));
}

// `text; name=value; name="value"`, the parameters with their names as they stand there. nullopt
// for what is not of this form, or where a backslash may hide the end of a quoted value.
using Parameters = std::vector<std::pair<std::string_view, std::string_view>>;
std::optional<Parameters> ParametersOf(std::string_view text) {
  Parameters parameters;
  size_t at = text.find(';');
  while (at < text.size()) {
    text = Trimmed(text.substr(at + 1));
    if (text.empty()) break;
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view name = Trimmed(text.substr(0, equals));
    if (name.empty() || name.find_first_of("; \t\"") != std::string_view::npos) {
      return std::nullopt;
    }
    text = Trimmed(text.substr(equals + 1));
    std::string_view value;
    if (text.starts_with('"')) {
      const size_t end = text.find('"', 1);
      if (end == std::string_view::npos || text[end - 1] == '\\') return std::nullopt;
      value = text.substr(1, end - 1);
      text = Trimmed(text.substr(end + 1));
      if (!text.empty() && text.front() != ';') return std::nullopt;
      at = 0;
    } else {
      at = std::min(text.find(';'), text.size());
      value = Trimmed(text.substr(0, at));
      if (value.find('"') != std::string_view::npos) return std::nullopt;
    }
    parameters.emplace_back(name, value);
  }
  return parameters;
}

// The parameter of that name; nullopt if it is there more than once. Absent: empty.
std::optional<std::string_view> OnlyParameter(const Parameters& parameters, std::string_view name) {
  std::optional<std::string_view> found;
  for (const auto& [key, value] : parameters) {
    if (!SameWord(key, name)) continue;
    if (found) return std::nullopt;
    found = value;
  }
  return found ? found : std::string_view();
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = ToLower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string UrlDecoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool encoded = text[i] == '%' && i + 2 < text.size() && HexValue(text[i + 1]) >= 0 &&
                         HexValue(text[i + 2]) >= 0;
    if (encoded) {
      decoded += static_cast<char>(HexValue(text[i + 1]) * 16 + HexValue(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

FormOutcome FindInUrlEncoded(std::string_view form, std::string_view name, FormField* field) {
  bool found = false;
  for (size_t begin = 0; begin <= form.size();) {
    // A semicolon is a separator to some parsers and a character to others.
    const size_t end = std::min(form.find_first_of("&;", begin), form.size());
    const std::string_view pair = form.substr(begin, end - begin);
    const size_t equals = std::min(pair.find('='), pair.size());
    if (UrlDecoded(pair.substr(0, equals)) == name) {
      const bool by_semicolon =
          (begin > 0 && form[begin - 1] == ';') || (end < form.size() && form[end] == ';');
      if (found || by_semicolon || equals == pair.size()) return FormOutcome::kUnclear;
      found = true;
      field->value = UrlDecoded(pair.substr(equals + 1));
      field->place = {begin + equals + 1, pair.size() - equals - 1};
    }
    begin = end + 1;
  }
  return found ? FormOutcome::kFound : FormOutcome::kAbsent;
}

// The heads of one part: its name, or nullopt if they are not plain.
std::optional<std::string_view> NameOfPart(std::string_view heads) {
  std::optional<std::string_view> disposition;
  while (!heads.empty()) {
    const size_t end = std::min(heads.find(kCrLf), heads.size());
    const std::string_view line = heads.substr(0, end);
    heads.remove_prefix(std::min(end + kCrLf.size(), heads.size()));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || line.front() == ' ' || line.front() == '\t' ||
        line.find_first_of("\r\n") != std::string_view::npos) {
      return std::nullopt;
    }
    const std::string_view field = Trimmed(line.substr(0, colon));
    const std::string_view value = Trimmed(line.substr(colon + 1));
    if (SameWord(field, "content-disposition")) {
      if (disposition) return std::nullopt;
      disposition = value;
    } else if (SameWord(field, "content-transfer-encoding") && !SameWord(value, "binary") &&
               !SameWord(value, "8bit") && !SameWord(value, "7bit")) {
      return std::nullopt;
    }
  }
  if (!disposition || !SameWord(MediaType(*disposition), "form-data")) return std::nullopt;
  const std::optional<Parameters> parameters = ParametersOf(*disposition);
  if (!parameters) return std::nullopt;
  const auto extended = OnlyParameter(*parameters, "name*");
  if (!extended || !extended->empty()) return std::nullopt;
  return OnlyParameter(*parameters, "name");
}

FormOutcome FindInMultipart(std::string_view boundary, std::string_view form, std::string_view name,
                            FormField* field) {
  const std::string delimiter = "\r\n--" + std::string(boundary);
  const std::string_view first = std::string_view(delimiter).substr(kCrLf.size());
  size_t at = form.starts_with(kCrLf) ? kCrLf.size() : 0;
  if (!form.substr(at).starts_with(first)) return FormOutcome::kUnclear;
  at += first.size();
  bool found = false;
  while (form.substr(at, 2) != "--") {
    if (form.substr(at, 2) != kCrLf) return FormOutcome::kUnclear;
    const size_t heads = at + kCrLf.size();
    const size_t heads_end = form.find("\r\n\r\n", heads);
    if (heads_end == std::string_view::npos) return FormOutcome::kUnclear;
    const std::string_view lines = form.substr(heads, heads_end - heads);
    if (lines.find(delimiter) != std::string_view::npos) return FormOutcome::kUnclear;
    const auto part = NameOfPart(lines);
    const size_t content = heads_end + 4;
    // An empty part's delimiter begins with the line end of its heads.
    const size_t content_end = form.find(delimiter, content - kCrLf.size());
    if (!part || content_end == std::string_view::npos) return FormOutcome::kUnclear;
    if (content_end < content) return FormOutcome::kUnclear;
    at = content_end + delimiter.size();
    if (*part != name) continue;
    if (found) return FormOutcome::kUnclear;
    found = true;
    field->place = {content, content_end - content};
    field->value = form.substr(content, content_end - content);
  }
  return found ? FormOutcome::kFound : FormOutcome::kAbsent;
}

}  // namespace

FormKind FormKindOf(std::string_view content_type) {
  const std::string_view type = MediaType(content_type);
  if (SameWord(type, "application/x-www-form-urlencoded")) return FormKind::kUrlEncoded;
  return SameWord(type, "multipart/form-data") ? FormKind::kMultipart : FormKind::kNone;
}

bool IsJsonType(std::string_view content_type) {
  const std::string_view type = MediaType(content_type);
  constexpr std::string_view kSuffix = "+json";
  return SameWord(type, "application/json") || SameWord(type, "text/json") ||
         (type.size() > kSuffix.size() &&
          SameWord(type.substr(type.size() - kSuffix.size()), kSuffix));
}

FormOutcome FindFormField(std::string_view content_type, std::string_view form,
                          std::string_view name, FormField* field) {
  const std::optional<Parameters> parameters = ParametersOf(content_type);
  if (!parameters) return FormOutcome::kUnclear;
  const auto charset = OnlyParameter(*parameters, "charset");
  if (!charset || !(charset->empty() || SameWord(*charset, "utf-8") || SameWord(*charset, "utf8") ||
                    SameWord(*charset, "us-ascii"))) {
    return FormOutcome::kUnclear;
  }
  if (FormKindOf(content_type) == FormKind::kUrlEncoded) {
    return FindInUrlEncoded(form, name, field);
  }
  const auto boundary = OnlyParameter(*parameters, "boundary");
  if (!boundary || boundary->empty() || boundary->size() > kBoundaryMax) {
    return FormOutcome::kUnclear;
  }
  return FindInMultipart(*boundary, form, name, field);
}

std::string FormText(FormKind kind, std::string_view value) {
  if (kind != FormKind::kUrlEncoded) return std::string(value);
  std::string text;
  for (const char c : value) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      text += c;
    } else {
      constexpr char kHex[] = "0123456789ABCDEF";
      const auto byte = static_cast<unsigned char>(c);
      text += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return text;
}

}  // namespace gw
