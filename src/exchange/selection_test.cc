// A header by which a test lets a request go to some endpoints only.

#include <gtest/gtest.h>

#include <set>

#include "exchange/test_exchange.h"

namespace gw {
namespace {

// Three endpoints; the second and third share their address and differ by port.
class SelectionTest : public ExchangeFixture {
 protected:
  SelectionTest() {
    environment_.selection_field = "test-selection";
    entry_ = MakePool("default/qwen", {});
    for (const auto& [ip, port] :
         {std::pair{"127.0.0.11", 8000}, {"127.0.0.12", 8000}, {"127.0.0.12", 8001}}) {
      Endpoint endpoint;
      endpoint.ip = ip;
      endpoint.port = static_cast<uint16_t>(port);
      endpoint.name = endpoint.address = endpoint.ip + ":" + std::to_string(port);
      endpoint.state = table_.Get(endpoint.address);
      entry_->pool.endpoints.push_back(std::move(endpoint));
    }
  }
  // `fields`: of the request's head, each with its end of line.
  Step Ask(const std::string& fields) {
    const Step head =
        SendHead(SnapshotOf(entry_, {kPort}),
                 "POST /v1/thing HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n" + fields + "\r\n");
    CHECK(head.kind == Step::Kind::kReadBody);
    return SendBody("{}");
  }
  // Where requests with these fields go, of many.
  std::set<std::string> Reached(const std::string& fields) {
    std::set<std::string> reached;
    for (int i = 0; i < 50; ++i) {
      const Step step = Ask(fields);
      reached.insert(step.kind == Step::Kind::kForward ? exchange_.endpoint().address
                                                       : std::string(InfoOf(step.rejection).code));
      exchange_.End(Outcome::kComplete, 200, clock_.Now());
    }
    return reached;
  }

  const std::set<std::string> all_ = {"127.0.0.11:8000", "127.0.0.12:8000", "127.0.0.12:8001"};
  const std::set<std::string> none_ = {"no_endpoint"};
  std::shared_ptr<PoolEntry> entry_;
};

using Addresses = std::set<std::string>;

TEST_F(SelectionTest, OnlyTheListedAddressesAreCandidates) {
  EXPECT_EQ(Reached("Test-Selection: 127.0.0.11\r\n"), Addresses{"127.0.0.11:8000"});
  EXPECT_EQ(Reached("TEST-SELECTION: 127.0.0.12:8001\r\n"), Addresses{"127.0.0.12:8001"});
  EXPECT_EQ(Reached("test-selection: 127.0.0.12\r\n"),
            (Addresses{"127.0.0.12:8000", "127.0.0.12:8001"}));
  EXPECT_EQ(Reached("test-selection: 127.0.0.12:8001 , 127.0.0.11, 127.0.0.11,127.0.0.99\r\n"),
            (Addresses{"127.0.0.11:8000", "127.0.0.12:8001"}));
}

// As the pickers of the inference extension's conformance suite do it.
TEST_F(SelectionTest, WithoutTheHeaderOrAValueAnybodyIsAndWhereNobodyIsListedNobody) {
  EXPECT_EQ(Reached(""), all_);
  EXPECT_EQ(Reached("Test-Selection:\r\n"), all_);
  EXPECT_EQ(Reached("Test-Selection: 127.0.0.99\r\n"), none_);
  EXPECT_EQ(Reached("Test-Selection: 127.0.0.11:9\r\n"), none_);
  EXPECT_EQ(Reached("Test-Selection: ,\r\n"), none_);
  EXPECT_EQ(Reached("Test-Selection: 127.0.0.11\r\nTest-Selection: 127.0.0.12\r\n"),
            Addresses{"127.0.0.11:8000"})
      << "the first field counts";
}

TEST_F(SelectionTest, IsNotThereUnlessItIsAskedFor) {
  environment_.selection_field = {};
  EXPECT_EQ(Reached("Test-Selection: 127.0.0.99\r\n"), all_);
}

TEST_F(SelectionTest, FurtherTriesKeepToIt) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(Ask("Test-Selection: 127.0.0.12\r\n").kind, Step::Kind::kForward);
    const std::string first = exchange_.endpoint().address;
    ASSERT_EQ(exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now()).kind,
              Step::Kind::kForward);
    EXPECT_EQ(exchange_.endpoint().ip, "127.0.0.12");
    EXPECT_NE(exchange_.endpoint().address, first);
    EXPECT_EQ(exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now()).kind,
              Step::Kind::kRespond)
        << "the third is well, and not selected";
    exchange_.End(Outcome::kRejected, 503, clock_.Now());
  }
}

TEST_F(SelectionTest, AServicesEndpointsAreNobodysToSelect) {
  entry_->pool.kind = Pool::Kind::kService;
  EXPECT_EQ(Reached("Test-Selection: 127.0.0.99\r\n"), all_);
}

}  // namespace
}  // namespace gw
