// The manifests of the product's public documentation, as written there, and what they mean.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/file/last_good.h"

namespace gw::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

const std::string kManifests = std::string(PENSTOCK_SOURCE_DIR) + "/test/data/manifests/";

api::ResourceSet Load(const std::string& name) {
  LoadResult result = LoadFiles({kManifests + name, kManifests + "gateway_networking.yaml"});
  api::ResourceSet resources = ResourcesOf(result);
  EXPECT_EQ(result.error(), "");
  EXPECT_EQ(result.files.size(), 2u);
  for (const api::InvalidObject& invalid : resources.invalid) {
    for (const std::string& message : invalid.Messages()) ADD_FAILURE() << message;
  }
  EXPECT_THAT(resources.skipped, IsEmpty());
  return resources;
}

TEST(Manifests, GatewayAndRoute) {
  const api::ResourceSet set = Load("vllm-single-default.yaml");
  ASSERT_EQ(set.gateway_classes.count("inference-gateway-class"), 1u);
  EXPECT_EQ(set.gateway_classes.at("inference-gateway-class").controller_name,
            "inference.networking.x-k8s.io/gateway-controller");

  const api::Gateway* gateway = set.FindGateway("default", "inference-gateway");
  ASSERT_NE(gateway, nullptr);
  EXPECT_EQ(gateway->gateway_class_name, "inference-gateway-class");
  ASSERT_EQ(gateway->listeners.size(), 1u);
  const api::Listener& listener = gateway->listeners[0];
  EXPECT_EQ(listener.name, "http-llm");
  EXPECT_EQ(listener.protocol, "HTTP");
  EXPECT_EQ(listener.port, 8080);
  EXPECT_EQ(listener.hostname, "");
  EXPECT_EQ(listener.allowed_routes.from, api::AllowedRoutes::From::kSame);
  EXPECT_THAT(gateway->unsupported, IsEmpty());

  ASSERT_EQ(set.http_routes.size(), 1u);
  const api::HttpRoute& route = set.http_routes.begin()->second;
  EXPECT_EQ(route.meta.name, "inference-route");
  EXPECT_EQ(route.meta.source.line, 19);
  ASSERT_EQ(route.parent_refs.size(), 1u);
  EXPECT_EQ(route.parent_refs[0].group, "gateway.networking.k8s.io");
  EXPECT_EQ(route.parent_refs[0].kind, "Gateway");
  EXPECT_EQ(route.parent_refs[0].ns, "default");
  EXPECT_EQ(route.parent_refs[0].name, "inference-gateway");
  EXPECT_FALSE(route.parent_refs[0].group_given);
  EXPECT_FALSE(route.parent_refs[0].kind_given);
  EXPECT_FALSE(route.parent_refs[0].ns_given);
  EXPECT_FALSE(route.parent_refs[0].port.has_value());
  ASSERT_EQ(route.rules.size(), 1u);
  ASSERT_EQ(route.rules[0].matches.size(), 1u);
  EXPECT_EQ(route.rules[0].matches[0].path_type, api::PathMatchType::kPathPrefix);
  EXPECT_EQ(route.rules[0].matches[0].path, "/v1");
  ASSERT_EQ(route.rules[0].backend_refs.size(), 1u);
  const api::BackendRef& ref = route.rules[0].backend_refs[0];
  EXPECT_EQ(ref.group, "inference.networking.x-k8s.io");
  EXPECT_EQ(ref.kind, "InferencePool");
  EXPECT_EQ(ref.ns, "default");
  EXPECT_EQ(ref.name, "qwen-inference-pool");
  EXPECT_EQ(ref.weight, 1);
  EXPECT_FALSE(ref.port.has_value());
  EXPECT_THAT(route.unsupported, IsEmpty());
}

struct PoolRow {
  std::string file;
  api::StringMap selector;
  std::string runtime;
  std::string strategy;
};

TEST(Manifests, PoolsAndModels) {
  const api::StringMap vllm_single = {{"alibabacloud.com/inference-workload", "vllm-inference"}};
  const api::StringMap vllm_many = {{"alibabacloud.com/inference-workload", "vllm-multi-nodes"},
                                    {"role", "leader"}};
  const api::StringMap sglang_single = {{"alibabacloud.com/inference-workload", "sgl-inference"}};
  const api::StringMap sglang_many = {{"alibabacloud.com/inference-workload", "sglang-multi-nodes"},
                                      {"role", "leader"}};
  const PoolRow rows[] = {
      {"vllm-single-default.yaml", vllm_single, "", ""},
      {"vllm-single-prefix.yaml", vllm_single, "", "PREFIX_CACHE"},
      {"vllm-distributed-default.yaml", vllm_many, "", ""},
      {"vllm-distributed-prefix.yaml", vllm_many, "", "PREFIX_CACHE"},
      {"sglang-single-default.yaml", sglang_single, "sglang", ""},
      {"sglang-single-prefix.yaml", sglang_single, "sglang", "PREFIX_CACHE"},
      {"sglang-distributed-default.yaml", sglang_many, "sglang", ""},
      {"sglang-distributed-prefix.yaml", sglang_many, "sglang", "PREFIX_CACHE"},
  };
  for (const PoolRow& row : rows) {
    SCOPED_TRACE(row.file);
    const api::ResourceSet set = Load(row.file);
    const api::InferencePool* pool =
        set.FindPool("inference.networking.x-k8s.io", "default", "qwen-inference-pool");
    ASSERT_NE(pool, nullptr);
    EXPECT_TRUE(pool->v1alpha2());
    EXPECT_EQ(pool->version, "v1alpha2");
    EXPECT_EQ(pool->selector, row.selector);
    EXPECT_THAT(pool->target_ports, ElementsAre(8000));
    EXPECT_EQ(pool->meta.annotation(api::kRuntimeAnnotation), row.runtime);
    EXPECT_EQ(pool->meta.annotation(api::kStrategyAnnotation), row.strategy);
    ASSERT_TRUE(pool->extension_ref.has_value());
    EXPECT_EQ(pool->extension_ref->group, "");
    EXPECT_EQ(pool->extension_ref->kind, "Service");
    EXPECT_EQ(pool->extension_ref->name, "inference-gateway-ext-proc");
    EXPECT_FALSE(pool->extension_ref->port.has_value());
    EXPECT_EQ(pool->extension_ref->failure_mode, api::ExtensionRef::FailureMode::kFailClose);
    EXPECT_THAT(pool->unsupported, IsEmpty());

    ASSERT_EQ(set.inference_models.size(), 1u);
    const api::InferenceModel& model = set.inference_models.begin()->second;
    EXPECT_EQ(model.meta.name, "qwen-inference-model");
    EXPECT_EQ(model.model_name, "/models/Qwen3-32B");
    EXPECT_EQ(model.criticality, api::InferenceModel::Criticality::kCritical);
    EXPECT_EQ(model.pool_ref.group, "inference.networking.x-k8s.io");
    EXPECT_EQ(model.pool_ref.kind, "InferencePool");
    EXPECT_EQ(model.pool_ref.name, "qwen-inference-pool");
    ASSERT_EQ(model.target_models.size(), 1u);
    EXPECT_EQ(model.target_models[0].name, "/models/Qwen3-32B");
    EXPECT_EQ(model.target_models[0].weight, 100);
  }
}

TEST(Manifests, Disaggregation) {
  for (const bool prefix : {false, true}) {
    const api::ResourceSet set = Load(prefix ? "sglang-pd-prefix.yaml" : "sglang-pd-default.yaml");
    const api::InferencePool* pool =
        set.FindPool("inference.networking.x-k8s.io", "default", "qwen-inference-pool");
    ASSERT_NE(pool, nullptr);
    EXPECT_THAT(pool->selector, ElementsAre(Pair("alibabacloud.com/inference_backend", "sglang")));
    EXPECT_FALSE(pool->extension_ref.has_value());
    EXPECT_THAT(set.inference_models, IsEmpty());

    ASSERT_EQ(set.traffic_policies.size(), 1u);
    const api::InferenceTrafficPolicy& policy = set.traffic_policies.begin()->second;
    EXPECT_EQ(policy.meta.name, "inference-policy");
    EXPECT_EQ(policy.pool_name, "qwen-inference-pool");
    EXPECT_EQ(policy.runtime, "sglang");
    ASSERT_TRUE(policy.pd.has_value());
    EXPECT_EQ(policy.pd->role_label, "rolebasedgroup.workloads.x-k8s.io/role");
    EXPECT_EQ(policy.pd->bootstrap_port, 34000);
    EXPECT_EQ(policy.pd->prefix_cache_mode, prefix ? "estimate" : "");
    EXPECT_EQ(policy.pd->prefill_policy_ref, prefix ? "prefixCache" : "");
    EXPECT_EQ(policy.pd->decode_policy_ref, prefix ? "prefixCache" : "");
    EXPECT_THAT(policy.unsupported, IsEmpty());
  }
}

}  // namespace
}  // namespace gw::config
