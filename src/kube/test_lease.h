// What the tests of Leases share: candidates with clients of their own, and one Lease on the
// server.

#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kube/lease.h"
#include "kube/test_api_fixture.h"
#include "kube/test_api_objects.h"

namespace gw::kube {

inline constexpr char kLeasePath[] =
    "/apis/coordination.k8s.io/v1/namespaces/penstock-system/leases/penstock";

// One process.
struct Candidate {
  Candidate(EventLoop& loop, const SocketAddress& server, Credentials& credentials,
            const std::string& name, uint64_t seed)
      : client(loop, {.address = server, .authority = name}, credentials, {}) {
    lease.emplace(client,
                  LeaseOptions{.ns = "penstock-system", .name = "penstock", .identity = name},
                  Random(seed), [this](bool held) { changes.push_back(held); });
  }

  ApiClient client;
  std::vector<bool> changes;
  std::optional<Lease> lease;
};

class LeaseTest : public ApiServerTest {
 protected:
  LeaseTest() {
    server_.handler = [this](const TestApiRequest& request) { return objects_.Serve(request); };
  }

  std::unique_ptr<Candidate> New(const std::string& name, uint64_t seed = 1) {
    return std::make_unique<Candidate>(*loop_, server_.address(), credentials_, name, seed);
  }
  // In small steps, as far as it goes.
  void Pass(Duration time) {
    const TimePoint end = clock_.Now() + time;
    while (clock_.Now() < end) Advance(std::chrono::milliseconds(100));
  }
  std::string Field(const std::string& name) {
    const api::Node* found = MapAt(&objects_.At(kLeasePath), "spec")->Find(name);
    return found == nullptr ? "" : found->text;
  }
  // The rig's own hand: as another program would write it.
  void PutRecord(const LeaseRecord& record) {
    api::Node lease = JsonOf(
        R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"penstock",)"
        R"("namespace":"penstock-system","labels":{"a":"b"}},"spec":{"strategy":"x"}})");
    WriteLeaseRecord(record, &lease);
    objects_.Put(kLeasePath, std::move(lease));
  }

  TestApiObjects objects_;
};

}  // namespace gw::kube
