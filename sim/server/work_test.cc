#include "sim/server/work.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gw::sim {
namespace {

RequestBody Asked(std::string_view prompt) {
  RequestBody request;
  request.prompt.AddSegment(prompt);
  return request;
}

Work WorkOf(RequestBody request, const WorkOptions& options = {.cache = "m"}) {
  Work work;
  PlanWork(options, &request, &work);
  return work;
}

TEST(Work, AnswersAsMuchAsItIsAskedForOrAsItHasToSay) {
  RequestBody request = Asked("hello");
  request.output_tokens_max = 5;
  Work work = WorkOf(request);
  EXPECT_EQ(work.prompt_tokens, 2u);
  EXPECT_EQ(work.output_tokens, 5u);
  EXPECT_TRUE(work.ends_at_limit);
  EXPECT_EQ(work.text.size(), 5 * kTokenBytes);

  request.output_tokens_max = 1000;
  work = WorkOf(request);
  EXPECT_LT(work.output_tokens, 1000u);
  EXPECT_FALSE(work.ends_at_limit);
  request.ignore_eos = true;
  EXPECT_EQ(WorkOf(request).output_tokens, 1000u);
  EXPECT_EQ(WorkOf(request, {.limit_max = 1}).output_tokens, 1u);
}

TEST(Work, KeepsToItsContext) {
  RequestBody request = Asked("hello");
  EXPECT_EQ(WorkOf(request, {.context_tokens_max = 6}).output_tokens, 4u);
}

TEST(Work, TheSameIsAnsweredTheSameAndFoundUnderTheSameNames) {
  RequestBody request = Asked(std::string(400, 'a'));
  request.output_tokens_max = 40;
  request.ignore_eos = true;
  const Work work = WorkOf(request);
  EXPECT_EQ(work.block_names.size(), (100 + 40) / 16u);
  EXPECT_EQ(WorkOf(request).text, work.text);
  EXPECT_EQ(WorkOf(request).block_names, work.block_names);
  // What was said comes back as part of the next prompt.
  RequestBody next = Asked(std::string(400, 'a'));
  next.prompt.AddSegment(work.text);
  next.output_tokens_max = 1;
  const Work after = WorkOf(next);
  ASSERT_GE(after.block_names.size(), work.block_names.size());
  for (size_t i = 0; i < work.block_names.size(); ++i) {
    EXPECT_EQ(after.block_names[i], work.block_names[i]) << i;
  }
  request.cache_salt = "x";
  EXPECT_NE(WorkOf(request).block_names[0], work.block_names[0]);
}

TEST(Work, AnEmbeddingHasOneTokenAndTheBlocksOfItsText) {
  const Work work = WorkOf(Asked(std::string(400, 'a')), {.embeds = true});
  EXPECT_EQ(work.output_tokens, 1u);
  EXPECT_EQ(work.block_names.size(), 6u);
}

}  // namespace
}  // namespace gw::sim
