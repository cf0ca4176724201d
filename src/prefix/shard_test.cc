#include "prefix/shard.h"

#include <gtest/gtest.h>

#include <vector>

namespace gw::internal {
namespace {

using Hashes = std::vector<uint64_t>;

// What an insertion met may be cut and grow again before it appends.
TEST(IndexShard, AppendsOnlyBehindTheBlocksThatWereMet) {
  Endpoints endpoints(8, 0);
  IndexShard shard(1 << 16, &endpoints);
  const Touch one = endpoints.Begin(1, 3, 0);
  ASSERT_TRUE(shard.Add(Hashes{1, 2, 3}, 0, one));

  const Touch two = endpoints.Begin(2, 4, 0);
  EXPECT_FALSE(shard.Append(Hashes{1, 20, 30, 40}, 0, 3, two)) << "as many others";
  EXPECT_FALSE(shard.Append(Hashes{1, 2, 30, 40}, 0, 3, two)) << "the last one is another";
  EXPECT_FALSE(shard.Append(Hashes{1, 2, 3, 4}, 0, 2, two)) << "more than were met";
  EXPECT_FALSE(shard.Append(Hashes{1, 2, 3, 4}, 7, 3, two)) << "elsewhere in the prompt";
  EXPECT_FALSE(shard.Append(Hashes{9, 2, 3, 4}, 0, 3, two)) << "of another name";
  EXPECT_EQ(shard.Peek(Hashes{1, 2, 3, 4}, 0), 3u);

  EXPECT_TRUE(shard.Append(Hashes{1, 2, 3, 4}, 0, 3, two));
  EXPECT_EQ(shard.Peek(Hashes{1, 2, 3, 4}, 0), 4u);
  EXPECT_TRUE(shard.HoldsBlock({1, 0, 3, 4}, 2));
  EXPECT_FALSE(shard.HoldsBlock({1, 0, 3, 4}, 1)) << "who was sent less holds no more";
}

}  // namespace
}  // namespace gw::internal
