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
};

}  // namespace

ApiKind ClassifyApi(std::string_view method, std::string_view path) {
  path = path.substr(0, path.find('?'));
  for (const KnownPath& known : kKnownPaths) {
    if (method == known.method && path.ends_with(known.suffix)) return known.api;
  }
  return ApiKind::kOther;
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
