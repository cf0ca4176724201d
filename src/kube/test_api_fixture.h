// What the tests of the API server's client share: a loop in virtual time, a server on it, and
// credentials that a test can change.

#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "kube/api_client.h"
#include "kube/test_api_server.h"
#include "net/net_test_util.h"

namespace gw::kube {

struct TestCredentials final : Credentials {
  absl::StatusOr<Credential> Get() override {
    ++asked;
    if (!error.ok()) return error;
    return credential;
  }
  void Refused() override {
    ++refused;
    if (renewed) credential.authorization = *renewed;
  }

  Credential credential{.authorization = "Bearer one", .tls = nullptr};
  std::optional<std::string> renewed;  // what it is after a refusal
  absl::Status error;
  int asked = 0;
  int refused = 0;
};

class ApiServerTest : public testing::Test {
 protected:
  void Connect(const ApiClientOptions& options = {}, std::string prefix = "") {
    client_.emplace(*loop_,
                    ApiServer{.address = server_.address(),
                              .authority = "api.test:6443",
                              .path_prefix = std::move(prefix)},
                    credentials_, options);
  }
  void RunUntil(const std::function<bool()>& condition) { RunLoopUntil(*loop_, condition); }
  void Advance(Duration by) {
    clock_.Advance(by);
    for (int rounds = 0; rounds < 8; ++rounds) loop_->RunOnce(Duration(0));
  }
  // Time goes on, in steps, until the condition holds. The deadline only keeps a broken test from
  // hanging.
  void AdvanceUntil(const std::function<bool()>& condition,
                    Duration step = std::chrono::milliseconds(250)) {
    const TimePoint deadline = RealClock().Now() + std::chrono::seconds(20);
    while (!condition()) {
      ASSERT_LT(RealClock().Now(), deadline) << "the condition was not met in time";
      Advance(step);
    }
  }

  ManualClock clock_;
  std::unique_ptr<EventLoop> loop_ = *EventLoop::New(clock_);
  TestApiServer server_{*loop_};
  TestCredentials credentials_;
  std::optional<ApiClient> client_;
};

}  // namespace gw::kube
