// What the tests of the StatusWriter share: routes on a server, and a writer that is told of them
// when the test says so.

#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kube/status_writer.h"
#include "kube/test_api_fixture.h"
#include "kube/test_api_objects.h"
#include "kube/test_status.h"

namespace gw::kube {

class StatusWriterTest : public ApiServerTest {
 protected:
  StatusWriterTest() {
    Connect();
    server_.handler = [this](const TestApiRequest& request) { return objects_.Serve(request); };
    Make();
    writer_->SetActive(true);
  }
  ~StatusWriterTest() override { writer_.reset(); }

  void Make(StatusWriterOptions options = {}) {
    options.controller_names = {kOurName};
    writer_.emplace(*client_, Random(1), std::move(options));
  }
  static std::string PathOf(const std::string& name) {
    return "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/" + name;
  }
  // Somebody writes it; the watch has not told yet.
  void Put(const std::string& name, const std::string& parents, int64_t generation = 1) {
    objects_.Put(PathOf(name), RouteThere(parents, generation, name));
  }
  ApiObject Object(const std::string& name) {
    return *ReadObject(ToJson(objects_.At(PathOf(name))), routes_);
  }
  // The watch tells what the server has.
  void Tell(const std::string& name) { writer_->Seen(routes_, Object(name)); }
  void Wish(const std::string& name, std::vector<api::ParentStatus> parents) {
    wish_.erase(RefOf(name));
    wish_.emplace(RefOf(name), SaidOfParents(std::move(parents)));
    writer_->Want(wish_);
  }
  void WishAccepted(const std::string& name, int64_t generation = 1) {
    Wish(name, {SaidOf("gw", {SaidTrue("Accepted", generation)})});
  }
  static api::ObjectRef RefOf(const std::string& name) {
    return {"gateway.networking.k8s.io", "v1", "HTTPRoute", "default", name};
  }
  std::string Parents(const std::string& name) {
    const api::Node* parents = MapAt(&objects_.At(PathOf(name)), "status")->Find("parents");
    return parents == nullptr ? "" : ToJson(*parents);
  }
  void Settle() {
    RunUntil([&] { return writer_->idle(); });
    for (int i = 0; i < 8; ++i) loop_->RunOnce(Duration(0));
    ASSERT_TRUE(writer_->idle());
  }
  size_t Requests(const std::string& method) const {
    size_t count = 0;
    for (const TestApiRequest& request : server_.requests) count += request.method == method;
    return count;
  }

  const Resource routes_{.group = "gateway.networking.k8s.io",
                         .version = "v1",
                         .plural = "httproutes",
                         .kind = "HTTPRoute"};
  TestApiObjects objects_;
  api::StatusSet wish_;
  std::optional<StatusWriter> writer_;
};

}  // namespace gw::kube
