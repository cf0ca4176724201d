// How endpoints are spoken to: over TLS, with a credential, a Host and a path of their own.

#include "dataplane/worker_test_util.h"

namespace gw {
namespace {

class EndpointAccessTest : public WorkerTest {
 protected:
  void Credential(std::string field, std::string value) {
    access_.credential = {.field = std::move(field), .value = std::move(value)};
  }
  bool Handshakes(const std::string& result, int count) const {
    return Counted("penstock_endpoint_tls_handshakes_total{result=\"" + result + "\"} " +
                   std::to_string(count) + "\n");
  }
};

TEST_F(EndpointAccessTest, ARequestGoesOverTls) {
  ServeEndpointOverTls();
  Start();
  auto client = Connect(kGet);
  EXPECT_NE(Served(0).stream->tls(), nullptr);
  Served(0).Write(kHi);
  RunUntil([&] { return client->saw("hi"); });
  EXPECT_TRUE(Handshakes("ok", 1));
  EXPECT_TRUE(Counted("penstock_endpoint_tls_sessions_resumed_total 0\n"));
  client = Connect(kGet);  // kHi closes the connection
  Served(1).Write(kHi);
  RunUntil([&] { return client->saw("hi"); });
  EXPECT_TRUE(Counted("penstock_endpoint_tls_sessions_resumed_total 1\n"));
}

TEST_F(EndpointAccessTest, AnEndpointThatIsNotBelievedGetsNothingAndTheClientHearsOfIt) {
  ServeEndpointOverTls();
  endpoint_tls_ = MakeServerTls({{"*", {ServerCertificate("other.example.com").Parsed()}}});
  Start();
  auto client = Connect(kGet);
  RunUntil([&] { return client->saw("upstream_tls_failed"); });
  EXPECT_TRUE(client->saw("HTTP/1.1 502 "));
  EXPECT_TRUE(client->saw("the TLS handshake with the model server failed"));
  EXPECT_TRUE(Handshakes("bad_peer", 1));
  EXPECT_TRUE(served_.empty());
  std::optional<RequestRecord> record;
  RunUntil([&] {
    record = worker_->history().FindLast("");
    return record.has_value();
  });
  EXPECT_EQ(record->all_tries[0].reason, "tls_handshake");
  EXPECT_EQ(record->all_tries[0].detail, "hostname mismatch");
}

TEST_F(EndpointAccessTest, ACredentialTakesThePlaceOfTheClientsOwn) {
  Credential("authorization", "Bearer of-the-pool");
  Start();
  auto client = Connect(
      "GET /v1/thing HTTP/1.1\r\nHost: a\r\nAUTHORIZATION: Bearer of-the-client\r\n"
      "X-Api-Key: mine\r\nauthorization: Basic more\r\n\r\n");
  EXPECT_TRUE(Served(0).saw("authorization: Bearer of-the-pool\r\n"));
  EXPECT_FALSE(Served(0).saw("of-the-client"));
  EXPECT_FALSE(Served(0).saw("Basic"));
  EXPECT_TRUE(Served(0).saw("X-Api-Key: mine\r\n")) << "of another name";
}

TEST_F(EndpointAccessTest, HostAndPathAreTheEndpoints) {
  access_.authority = "models.example.com";
  access_.path_prefix = "/v1beta";
  Start();
  auto client = Connect("GET /v1/thing?a=b HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(Served(0).saw("GET /v1beta/v1/thing?a=b HTTP/1.1\r\nhost: models.example.com\r\n"));
  EXPECT_TRUE(Served(0).saw("x-forwarded-host: a\r\n"));
  served_[0]->Write(kHi);
  RunUntil([&] { return client->saw("hi"); });
  client = Connect("GET http://b/v1/thing HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(Served(1).saw("GET /v1beta/v1/thing HTTP/1.1\r\nhost: models.example.com\r\n"));
}

TEST_F(EndpointAccessTest, AClientThatLeavesEndsItsRequestOverTls) {
  ServeEndpointOverTls();
  Start();
  auto client = Connect(kGet);
  Served(0).Write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
  RunUntil([&] { return client->saw("hi"); });
  client.reset();
  RunUntil([&] { return served_[0]->ended(); });
}

TEST_F(EndpointAccessTest, AHandshakeThatHangsIsGivenUp) {
  options_.connect_timeout = milliseconds(20);
  access_.tls = ClientTlsForTest();
  endpoint_tls_ = nullptr;
  Start();
  auto client = Connect(kGet);
  RunUntil([&] { return client->saw("endpoints_unreachable"); });
  EXPECT_TRUE(Handshakes("timeout", 1));
  EXPECT_TRUE(ReachedLimit("connect_timeout"));
}

}  // namespace
}  // namespace gw
