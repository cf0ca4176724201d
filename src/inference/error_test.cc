#include <gtest/gtest.h>
#include <simdjson.h>

#include "inference/recorded.h"
#include "inference/response.h"

namespace gw {
namespace {

TEST(ErrorBody, HasOpenAisShape) {
  EXPECT_EQ(ErrorBody(ApiKind::kChatCompletions, 404, "model_not_found", "no \"x\""),
            R"({"error":{"message":"no \"x\"","type":"not_found_error","param":null,)"
            R"("code":"model_not_found"}})");
  EXPECT_EQ(ErrorBody(ApiKind::kOther, 503, "no_endpoint", "m"),
            R"({"error":{"message":"m","type":"service_unavailable_error","param":null,)"
            R"("code":"no_endpoint"}})");
}

std::string MembersOf(std::string_view error_body) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(error_body);
  const simdjson::dom::object error = parser.parse(padded)["error"];
  std::string members;
  for (const auto& field : error) members += std::string(field.key) + " ";
  return members;
}

TEST(ErrorBody, HasTheMembersThatModelServersSend) {
  EXPECT_EQ(MembersOf(ErrorBody(ApiKind::kChatCompletions, 404, "c", "m")),
            MembersOf(internal::RecordedBody("vllm-0.32.0/err_unknown_model.response")));
}

TEST(ErrorBody, HasAnthropicsShapeForMessages) {
  EXPECT_EQ(ErrorBody(ApiKind::kMessages, 413, "body_too_large", "m"),
            R"({"type":"error","error":{"type":"request_too_large","message":"m"}})");
}

TEST(ErrorBody, TypesFollowTheStatus) {
  const struct {
    int status;
    const char* openai;
    const char* anthropic;
  } cases[] = {
      {400, "invalid_request_error", "invalid_request_error"},
      {401, "authentication_error", "authentication_error"},
      {403, "permission_error", "permission_error"},
      {404, "not_found_error", "not_found_error"},
      {408, "timeout_error", "invalid_request_error"},
      {413, "invalid_request_error", "request_too_large"},
      {429, "rate_limit_error", "rate_limit_error"},
      {431, "invalid_request_error", "invalid_request_error"},
      {500, "server_error", "api_error"},
      {502, "server_error", "api_error"},
      {503, "service_unavailable_error", "overloaded_error"},
      {504, "timeout_error", "timeout_error"},
  };
  for (const auto& c : cases) {
    EXPECT_NE(ErrorBody(ApiKind::kResponses, c.status, "c", "m")
                  .find("\"type\":\"" + std::string(c.openai) + "\""),
              std::string::npos)
        << c.status;
    EXPECT_NE(ErrorBody(ApiKind::kMessages, c.status, "c", "m")
                  .find("\"error\":{\"type\":\"" + std::string(c.anthropic) + "\""),
              std::string::npos)
        << c.status;
  }
}

TEST(ErrorEvent, IsOneEventInTheDialectOfTheStream) {
  EXPECT_EQ(ErrorEvent(ApiKind::kChatCompletions, 502, "upstream_broke", "m", false),
            "data: {\"error\":{\"message\":\"m\",\"type\":\"server_error\",\"param\":null,"
            "\"code\":\"upstream_broke\"}}\n\n");
  EXPECT_EQ(ErrorEvent(ApiKind::kMessages, 502, "upstream_broke", "m", false),
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\","
            "\"message\":\"m\"}}\n\n");
  EXPECT_EQ(ErrorEvent(ApiKind::kResponses, 504, "timeout", "m", false),
            "event: error\ndata: {\"type\":\"error\",\"code\":\"timeout\",\"message\":\"m\","
            "\"param\":null,\"sequence_number\":0,\"error\":{\"message\":\"m\","
            "\"type\":\"timeout_error\",\"param\":null,\"code\":\"timeout\"}}\n\n");
}

TEST(ErrorEvent, IsSeenAsAnErrorWhereverTheStreamBrokeOff) {
  for (const ApiKind api : {ApiKind::kChatCompletions, ApiKind::kMessages, ApiKind::kResponses}) {
    for (const std::string begun : {"", "data: {}\n\n", "data: {\"choices\":[{\"del", "data: {}\n",
                                    "da", "event: message_start\r\n"}) {
      ResponseReader reader;
      reader.Reset(api, true);
      reader.Feed(begun);
      EXPECT_FALSE(reader.saw_error_event());
      reader.Feed(ErrorEvent(api, 502, "c", "m", !reader.at_event_boundary()));
      EXPECT_TRUE(reader.saw_error_event()) << begun;
      EXPECT_TRUE(reader.at_event_boundary()) << begun;
    }
  }
}

}  // namespace
}  // namespace gw
