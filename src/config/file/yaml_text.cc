#include "config/file/yaml_text.h"

#include <algorithm>

#include "base/utf8.h"

namespace gw::config {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Skips anchors, tags and the space after them.
size_t SkipProperties(std::string_view text, size_t at) {
  while (at < text.size() && (text[at] == '&' || text[at] == '!')) {
    while (at < text.size() && !IsSpace(text[at])) ++at;
    while (at < text.size() && IsSpace(text[at])) ++at;
  }
  return at;
}

// The place behind a quoted scalar; npos if it has no end.
size_t EndOfQuoted(std::string_view text, size_t at) {
  const char quote = text[at++];
  for (; at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      // Within single quotes two of them stand for one.
      if (quote != '\'' || at + 1 >= text.size() || text[at + 1] != '\'') return at + 1;
      ++at;
    }
  }
  return std::string_view::npos;
}

bool IsQuote(std::string_view text, size_t at) {
  return at < text.size() && (text[at] == '"' || text[at] == '\'');
}

}  // namespace

std::string FaultyCharacter(std::string_view text) {
  size_t line = 1;
  size_t line_start = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = Utf8CharacterBytes(text.substr(at));
    const unsigned char c = static_cast<unsigned char>(text[at]);
    const bool control = (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
    if (bytes == 0 || control) {
      return std::to_string(line) + ":" + std::to_string(at - line_start + 1) + ": " +
             (bytes == 0 ? "is not UTF-8" : "a control character");
    }
    at += bytes;
    if (c == '\n') {
      ++line;
      line_start = at;
    }
  }
  return "";
}

std::string TabHint(std::string_view text, int line) {
  constexpr int kLinesBefore = 2;
  int at = 1;
  while (!text.empty() && at <= line) {
    const std::string_view row = text.substr(0, text.find('\n'));
    const std::string_view indentation = row.substr(0, row.find_first_not_of(" \t"));
    if (at >= line - kLinesBefore && indentation.find('\t') != std::string_view::npos) {
      return "; line " + std::to_string(at) + " is indented with a tab: YAML wants spaces";
    }
    text.remove_prefix(std::min(text.size(), row.size() + 1));
    ++at;
  }
  return "";
}

bool QuoteIsClosed(std::string_view text, size_t at) {
  at = SkipProperties(text, at);
  return !IsQuote(text, at) || EndOfQuoted(text, at) != std::string_view::npos;
}

bool ColonFollows(std::string_view text, size_t at, std::string_view key) {
  at = SkipProperties(text, at);
  if (IsQuote(text, at)) {
    at = EndOfQuoted(text, at);
  } else if (at < text.size() && text[at] == '*') {
    while (at < text.size() && !IsSpace(text[at])) ++at;
  } else {
    at += key.size();
  }
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
  return at < text.size() && text[at] == ':';
}

}  // namespace gw::config
