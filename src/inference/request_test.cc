#include "inference/request.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

TEST(ClassifyApi, KnowsThePathsAndAnyPrefixOfThem) {
  EXPECT_EQ(ClassifyApi("POST", "/v1/chat/completions"), ApiKind::kChatCompletions);
  EXPECT_EQ(ClassifyApi("POST", "/v1/completions"), ApiKind::kCompletions);
  EXPECT_EQ(ClassifyApi("POST", "/v1/embeddings"), ApiKind::kEmbeddings);
  EXPECT_EQ(ClassifyApi("POST", "/v1/responses"), ApiKind::kResponses);
  EXPECT_EQ(ClassifyApi("POST", "/v1/messages"), ApiKind::kMessages);
  EXPECT_EQ(ClassifyApi("GET", "/v1/models"), ApiKind::kModels);
  EXPECT_EQ(ClassifyApi("HEAD", "/v1/models"), ApiKind::kModels);
  EXPECT_EQ(ClassifyApi("GET", "/team/v1/models/org/small"), ApiKind::kModels);
  EXPECT_EQ(ClassifyApi("POST", "/team/a/v1/chat/completions"), ApiKind::kChatCompletions);
}

TEST(ClassifyApi, LooksAtThePathOnly) {
  EXPECT_EQ(ClassifyApi("POST", "/v1/messages?beta=true"), ApiKind::kMessages);
  EXPECT_EQ(ClassifyApi("POST", "/x?path=/v1/messages"), ApiKind::kOther);
}

TEST(ClassifyApi, ReadsAPathAsModelServersDecodeIt) {
  EXPECT_EQ(ClassifyApi("POST", "/v1/chat/%63ompletions"), ApiKind::kChatCompletions);
  EXPECT_EQ(ClassifyApi("POST", "/%76%31/completion%73"), ApiKind::kCompletions);
  EXPECT_EQ(ClassifyApi("POST", "%2Fv1%2fchat%2Fcompletions"), ApiKind::kChatCompletions);
  EXPECT_EQ(ClassifyApi("POST", "/%/v1/message%73"), ApiKind::kMessages);
  EXPECT_EQ(ClassifyApi("POST", "/v1/chat/%2563ompletions"), ApiKind::kOther);
  EXPECT_EQ(ClassifyApi("POST", "/v1/chat/completions%3Fx"), ApiKind::kOther);
  EXPECT_EQ(ClassifyApi("POST", "/v1/chat/completion%7"), ApiKind::kOther);
  EXPECT_EQ(ClassifyApi("POST", "%73"), ApiKind::kOther);
}

TEST(ClassifyApi, EverythingElseIsOther) {
  EXPECT_EQ(ClassifyApi("GET", "/v1/chat/completions"), ApiKind::kOther);
  EXPECT_EQ(ClassifyApi("POST", "/v1/models"), ApiKind::kOther);
  EXPECT_EQ(ClassifyApi("POST", "/v1/models/m"), ApiKind::kOther);
  EXPECT_EQ(ClassifyApi("GET", "/v1/models/"), ApiKind::kOther);
  EXPECT_EQ(ClassifyApi("GET", "/v1/modelsx/m"), ApiKind::kOther);
  EXPECT_EQ(ClassifyApi("POST", "/v1/chat/completions/"), ApiKind::kOther);
  EXPECT_EQ(ClassifyApi("POST", "/v1/chat/completions/render"), ApiKind::kOther);
  EXPECT_EQ(ClassifyApi("POST", "/v1/messages/count_tokens"), ApiKind::kOther);
  EXPECT_EQ(ClassifyApi("POST", "/V1/Completions"), ApiKind::kOther);
  EXPECT_EQ(ClassifyApi("", ""), ApiKind::kOther);
}

TEST(ModelOfPath, IsWhatFollowsAsServersDecodeIt) {
  EXPECT_EQ(ModelOfPath("/v1/models"), "");
  EXPECT_EQ(ModelOfPath("/v1/models/m?x=y"), "m");
  EXPECT_EQ(ModelOfPath("/a/v1/models/org/small"), "org/small");
  EXPECT_EQ(ModelOfPath("/v1/models/org%2fsmall%20b"), "org/small b");
  EXPECT_EQ(ModelOfPath("/v1/model%73/100%"), "100%");
  EXPECT_EQ(ModelOfPath("/v1/embeddings"), "");
}

TEST(ResponseOfPath, IsTheIdAndNothingBehindIt) {
  EXPECT_EQ(ResponseOfPath("/v1/responses/resp_1"), "resp_1");
  EXPECT_EQ(ResponseOfPath("/prefix/v1/responses/resp_1/cancel"), "resp_1");
  EXPECT_EQ(ResponseOfPath("/v1/responses/resp_1/input_items?limit=5"), "resp_1");
  EXPECT_EQ(ResponseOfPath("/v1/responses/resp_1?stream=true"), "resp_1");
  EXPECT_EQ(ResponseOfPath("/v1/responses"), "");
  EXPECT_EQ(ResponseOfPath("/v1/responses/"), "");
  EXPECT_EQ(ResponseOfPath("/v1/chat/completions"), "");
}

}  // namespace
}  // namespace gw
