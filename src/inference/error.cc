#include "inference/parser.h"
#include "inference/response.h"

namespace gw {
namespace {

// OpenAI's SDKs choose their exception by the status; the type is what people read and match on.
std::string_view OpenAiType(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 408:
    case 504:
      return "timeout_error";
    case 429:
      return "rate_limit_error";
    case 503:
      return "service_unavailable_error";
    default:
      return status < 500 ? "invalid_request_error" : "server_error";
  }
}

// The types of Anthropic's API; it has no others.
std::string_view AnthropicType(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    case 504:
      return "timeout_error";
    default:
      return status < 500 ? "invalid_request_error" : "api_error";
  }
}

std::string OpenAiError(int status, std::string_view code, std::string_view message) {
  std::string error = "{\"message\":" + QuoteJson(message);
  error += ",\"type\":" + QuoteJson(OpenAiType(status));
  error += ",\"param\":null,\"code\":" + QuoteJson(code) + "}";
  return error;
}

}  // namespace

std::string ErrorBody(ApiKind api, int status, std::string_view code, std::string_view message) {
  if (api != ApiKind::kMessages) return "{\"error\":" + OpenAiError(status, code, message) + "}";
  return "{\"type\":\"error\",\"error\":{\"type\":" + QuoteJson(AnthropicType(status)) +
         ",\"message\":" + QuoteJson(message) + "}}";
}

std::string ErrorEvent(ApiKind api, int status, std::string_view code, std::string_view message,
                       bool mid_event) {
  std::string event = mid_event ? "\n\n" : "";
  switch (api) {
    case ApiKind::kMessages:
      event += "event: error\ndata: " + ErrorBody(api, status, code, message);
      break;
    case ApiKind::kResponses:
      // The documented event has the members flat; the Python SDK raises only if there is an
      // "error".
      event += "event: error\ndata: {\"type\":\"error\",\"code\":" + QuoteJson(code) +
               ",\"message\":" + QuoteJson(message) + ",\"param\":null,\"sequence_number\":0" +
               ",\"error\":" + OpenAiError(status, code, message) + "}";
      break;
    default:
      event += "data: " + ErrorBody(api, status, code, message);
  }
  event += "\n\n";
  return event;
}

}  // namespace gw
