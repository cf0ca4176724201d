#include "inference/model_list.h"

#include <gtest/gtest.h>

#include "inference/recorded.h"

namespace gw {
namespace {

TEST(ReadModelList, GivesEachModelWithItsBytes) {
  const auto list = ReadModelList(R"({"object":"list","data":[ {"id":"a", "created":1.50},)"
                                  R"({"root":"/m","\u0069d" : "b\u002fc"} ]})");
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 2u);
  EXPECT_EQ((*list)[0].id, "a");
  EXPECT_EQ((*list)[0].json, R"({"id":"a", "created":1.50})");
  EXPECT_EQ((*list)[1].id, "b/c");
  EXPECT_EQ(WithId((*list)[0], "x"), R"({"id":"x", "created":1.50})");
  EXPECT_EQ(WithId((*list)[1], "say \"x\""), R"({"root":"/m","\u0069d" : "say \"x\""})");
}

TEST(ReadModelList, IsNoListOrPassesOverWhatIsNoModel) {
  for (const char* body : {"", "<html>", "[]", R"({"error":{}})", R"({"data":3})",
                           R"({"data":[{"id":"a"})", R"({"detail":"Not Found"})"}) {
    EXPECT_FALSE(ReadModelList(body)) << body;
  }
  const auto list =
      ReadModelList(R"({"x":[{"id":"x"}],"data":[7,"s",[{"id":"y"}],{"id":4},{},{"id":"a"}]})");
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 1u);
  EXPECT_EQ((*list)[0].id, "a");
  EXPECT_TRUE(ReadModelList(R"({"data":[]})")->empty());
}

TEST(ReadModelList, ReadsRecordedLists) {
  for (const char* file : {"vllm-0.32.0/models.response", "vllm-0.14.1/models.response"}) {
    const std::string body = internal::RecordedBody(file);
    const auto list = ReadModelList(body);
    ASSERT_TRUE(list) << file;
    ASSERT_GE(list->size(), 2u);
    for (const ListedModel& model : *list) {
      EXPECT_EQ(WithId(model, model.id), model.json);
      EXPECT_NE(model.json.find("\"max_model_len\":"), std::string_view::npos);
    }
  }
}

}  // namespace
}  // namespace gw
