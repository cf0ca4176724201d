#include "inference/request.h"

namespace gw {
namespace {

struct KnownPath {
  std::string_view method;
  std::string_view suffix;
  ApiKind api;
};

// No suffix is a suffix of another one, so the order does not matter.
constexpr KnownPath kKnownPaths[] = {
    {"POST", "/v1/chat/completions", ApiKind::kChatCompletions},
    {"POST", "/v1/completions", ApiKind::kCompletions},
    {"POST", "/v1/embeddings", ApiKind::kEmbeddings},
    {"POST", "/v1/responses", ApiKind::kResponses},
    {"POST", "/v1/messages", ApiKind::kMessages},
    {"GET", "/v1/models", ApiKind::kModels},
    {"HEAD", "/v1/models", ApiKind::kModels},
};

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Whether `path`, percent-decoded once, ends with `suffix`. From the end, since a '%' before two
// hexadecimal digits always belongs to them: no '%' is a digit of another one.
bool EndsWithDecoded(std::string_view path, std::string_view suffix) {
  while (!suffix.empty()) {
    if (path.empty()) return false;
    char c = path.back();
    size_t length = 1;
    if (path.size() >= 3 && path[path.size() - 3] == '%') {
      const int high = HexValue(path[path.size() - 2]);
      const int low = HexValue(c);
      if (high >= 0 && low >= 0) {
        c = static_cast<char>(high * 16 + low);
        length = 3;
      }
    }
    if (c != suffix.back()) return false;
    path.remove_suffix(length);
    suffix.remove_suffix(1);
  }
  return true;
}

std::string Decoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool encoded = text[i] == '%' && i + 2 < text.size() && HexValue(text[i + 1]) >= 0 &&
                         HexValue(text[i + 2]) >= 0;
    decoded +=
        encoded ? static_cast<char>(HexValue(text[i + 1]) * 16 + HexValue(text[i + 2])) : text[i];
    if (encoded) i += 2;
  }
  return decoded;
}

}  // namespace

std::string ModelOfPath(std::string_view path) {
  constexpr std::string_view kBefore = "/v1/models/";
  if (path.find(kBefore) == std::string_view::npos && path.find('%') == std::string_view::npos) {
    return "";
  }
  const std::string decoded = Decoded(path.substr(0, path.find('?')));
  const size_t at = decoded.find(kBefore);
  return at == std::string::npos ? "" : decoded.substr(at + kBefore.size());
}

std::string_view ResponseOfPath(std::string_view path) {
  constexpr std::string_view kBefore = "/v1/responses/";
  const size_t at = path.find(kBefore);
  if (at == std::string_view::npos) return {};
  const std::string_view id = path.substr(at + kBefore.size());
  return id.substr(0, id.find_first_of("/?"));
}

ApiKind ClassifyApi(std::string_view method, std::string_view path) {
  path = path.substr(0, path.find('?'));
  const bool encoded = path.find('%') != std::string_view::npos;
  for (const KnownPath& known : kKnownPaths) {
    if (method != known.method) continue;
    if (encoded ? EndsWithDecoded(path, known.suffix) : path.ends_with(known.suffix)) {
      return known.api;
    }
  }
  const bool reads = method == "GET" || method == "HEAD";
  return reads && !ModelOfPath(path).empty() ? ApiKind::kModels : ApiKind::kOther;
}

std::string_view NameOf(ApiKind api) {
  switch (api) {
    case ApiKind::kOther:
      return "other";
    case ApiKind::kChatCompletions:
      return "chat-completions";
    case ApiKind::kCompletions:
      return "completions";
    case ApiKind::kEmbeddings:
      return "embeddings";
    case ApiKind::kResponses:
      return "responses";
    case ApiKind::kMessages:
      return "messages";
    case ApiKind::kModels:
      return "models";
  }
  return "other";
}

}  // namespace gw
