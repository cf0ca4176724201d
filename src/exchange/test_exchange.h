// One request after the other at an Exchange, in virtual time, for tests.

#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "exchange/exchange.h"
#include "exchange/test_snapshot.h"
#include "http/h1_parser.h"
#include "scheduling/registry.h"

namespace gw {

class ExchangeFixture : public testing::Test {
 protected:
  static constexpr uint16_t kPort = 8080;

  // A pool that takes any model, by load.
  std::shared_ptr<PoolEntry> MakePool(const std::string& id,
                                      const std::vector<std::string>& addresses) {
    auto entry = std::make_shared<PoolEntry>();
    entry->pool.id = id;
    for (const std::string& address : addresses) {
      Endpoint endpoint;
      endpoint.name = endpoint.address = address;
      endpoint.state = table_.Get(address);
      entry->pool.endpoints.push_back(endpoint);
    }
    entry->profile = ProfileFor(RoutingStrategy::kDefault);
    entry->load_profile = LoadProfile();
    return entry;
  }
  // `head`: "GET /v1/x HTTP/1.1\r\n..." to its blank line.
  Step SendHead(std::shared_ptr<const Snapshot> snapshot, std::string head) {
    text_ = std::move(head);
    parser_.Reset();
    CHECK(parser_.Next(text_).event == http::H1Event::kHead);
    exchange_.Begin(std::move(snapshot), {kPort}, "127.0.0.1", clock_.Now());
    return exchange_.OnRequestHead(parser_.head());
  }
  Step SendBody(std::string_view body) {
    body_.assign(body);
    body_.reserve(body_.size() + Exchange::kBodyPadding);
    return exchange_.OnRequestBody(body_, clock_.Now());
  }

  ManualClock clock_;
  EndpointTable table_;
  PrefixIndex index_{PrefixIndex::Options{}};
  MetricRegistry registry_;
  ExchangeEnvironment environment_{clock_, 1, index_, registry_};
  Exchange exchange_{environment_};

 private:
  std::string text_;
  std::string body_;
  http::RequestParser parser_;
};

}  // namespace gw
