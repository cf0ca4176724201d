#include <gtest/gtest.h>

#include <string>

#include "server/feed/rows.h"

namespace gw {
namespace {

TEST(PutPeers, HasARowForEachAndNothingThatIsNotKnown) {
  peers::PeerRow met;
  met.name = "gateway-b";
  met.address = "10.0.0.8:9910";
  met.state = "linked";
  met.heard_ago = std::chrono::microseconds(12500);
  met.endpoints = 8;
  met.sums.requests = 41;
  met.sums.pending_tokens = 12000;
  peers::PeerRow before = met;  // it was started again since
  before.state = "unreachable";
  before.error = "the peer has closed the connection";
  peers::PeerRow not_met;
  not_met.address = "10.0.0.9:9910";
  not_met.state = "unreachable";
  FeedTable table("peers", PeerRowColumns());
  table.Begin();
  PutPeers({met, before, not_met}, &table);
  std::string told;
  table.End(&told);
  EXPECT_EQ(table.size(), 3u);
  EXPECT_NE(told.find(R"(["gateway-b","10.0.0.8:9910","linked",null,12.5,8,41,12000])"),
            std::string::npos)
      << told;
  EXPECT_NE(told.find(R"("unreachable","the peer has closed the connection",12.5,8,)"),
            std::string::npos)
      << told;
  EXPECT_NE(told.find(R"([null,"10.0.0.9:9910","unreachable",null,null,0,0,0])"), std::string::npos)
      << told;
  std::string left;
  table.Begin();
  PutPeers({}, &table);
  table.End(&left);
  EXPECT_EQ(table.size(), 0u);
}

}  // namespace
}  // namespace gw
