#include <gtest/gtest.h>

#include "translate/test_answers.h"
#include "translate/test_objects.h"

namespace gw {
namespace {

// A Gateway, a route to InferencePool default/pool, and the pool.
struct PoolScenario : Scenario {
  explicit PoolScenario(const std::string& group = api::kInferenceGroup) {
    AddGateway();
    AddPoolRef(AddRoute().rules[0], "pool").group = group;
    pool = &AddPool("pool", "default", group);
  }
  api::InferencePool* pool;
};

std::string PoolSaid(const Translation& translation, const std::string& type,
                     const std::string& name = "pool") {
  return Said(ParentConditions(translation, "InferencePool", name), type);
}
std::string PoolMessage(const Translation& translation, const std::string& type) {
  return MessageOf(ParentConditions(translation, "InferencePool", "pool"), type);
}
const PoolEntry& EntryOf(const Translation& translation) { return *translation.snapshot->pools[0]; }

TEST(Pool, IsAcceptedByTheGatewayThatARouteLeadsFrom) {
  PoolScenario scenario;
  scenario.pool->meta.generation = 4;
  const Translation translation = scenario.Run();
  const api::ObjectStatus status = StatusOf(translation, "InferencePool", "pool");
  ASSERT_EQ(status.parents.size(), 1u);
  const api::ParentRef& parent = status.parents[0].parent_ref;
  EXPECT_EQ(parent.group, api::kGatewayGroup);
  EXPECT_EQ(parent.kind, "Gateway");
  EXPECT_EQ(parent.ns, "default");
  EXPECT_EQ(parent.name, "gateway");
  EXPECT_TRUE(parent.group_given && parent.kind_given && parent.ns_given);
  EXPECT_EQ(status.parents[0].controller_name, "penstock.dev/gateway-controller");
  EXPECT_EQ(PoolSaid(translation, "Accepted"), "True/Accepted");
  EXPECT_EQ(PoolSaid(translation, "ResolvedRefs"), "True/ResolvedRefs");
  EXPECT_EQ(status.parents[0].conditions[0].observed_generation, 4);
}

TEST(Pool, HasOneParentPerGateway) {
  PoolScenario scenario;
  scenario.AddGateway("second").listeners[0].port = 81;
  scenario.AddParent(scenario.resources.http_routes[{"default", "route"}], "second");
  scenario.AddPoolRef(scenario.AddRoute("another").rules[0], "pool");
  const api::ObjectStatus status = StatusOf(scenario.Run(), "InferencePool", "pool");
  ASSERT_EQ(status.parents.size(), 2u);
  EXPECT_EQ(status.parents[0].parent_ref.name, "gateway");
  EXPECT_EQ(status.parents[1].parent_ref.name, "second");
}

TEST(Pool, WithoutRoutesHasNoParentOnAClusterAndAPlaceholderInFiles) {
  Scenario scenario;
  scenario.AddPool();
  Translation translation = scenario.Run();
  EXPECT_EQ(PoolSaid(translation, "Accepted"), "Unknown/Pending");
  EXPECT_EQ(StatusOf(translation, "InferencePool", "pool").parents[0].parent_ref.kind, "Status");
  scenario.options.only_controller = false;
  translation = scenario.Run();
  EXPECT_TRUE(StatusOf(translation, "InferencePool", "pool").parents.empty());
}

TEST(Pool, OfRoutesThatAreNotAcceptedIsTold) {
  PoolScenario scenario;
  scenario.resources.http_routes[{"default", "route"}].parent_refs[0].section_name = "missing";
  EXPECT_EQ(PoolSaid(scenario.Run(), "Accepted"), "False/HTTPRouteNotAccepted");
  scenario.AddPoolRef(scenario.AddRoute("good").rules[0], "pool");
  EXPECT_EQ(PoolSaid(scenario.Run(), "Accepted"), "True/Accepted");
}

TEST(Pool, TakesReadyPodsOfItsNamespaceThatMatchItsSelector) {
  PoolScenario scenario;
  scenario.AddPod("a", "127.0.0.1").meta.labels["zone"] = "x";
  scenario.AddPod("not-ready", "127.0.0.2").ready = false;
  scenario.AddPod("terminating", "127.0.0.3").meta.terminating = true;
  scenario.AddPod("no-address", "");
  scenario.AddPod("failed", "127.0.0.4").phase = "Failed";
  scenario.AddPod("done", "127.0.0.5").phase = "Succeeded";
  scenario.AddPod("running", "127.0.0.6").phase = "Running";
  scenario.AddPod("other", "127.0.0.7", "other");
  scenario.AddPod("elsewhere", "127.0.0.8", "pool", "team");
  const Translation translation = scenario.Run();
  EXPECT_EQ(Addresses(translation, "default/pool"), "127.0.0.1:8000 127.0.0.6:8000");
  const Endpoint& endpoint = EntryOf(translation).pool.endpoints[0];
  EXPECT_EQ(endpoint.ns, "default");
  EXPECT_EQ(endpoint.name, "a");
  EXPECT_EQ(endpoint.ip, "127.0.0.1");
  EXPECT_EQ(endpoint.port, 8000);
}

TEST(Pool, HasOneEndpointPerTargetPortUnlessThePodHasItsOwn) {
  PoolScenario scenario;
  scenario.pool->target_ports = {8000, 8001};
  scenario.AddPod("a", "127.0.0.1");
  scenario.AddPod("b", "127.0.0.2").target_port = 9000;
  EXPECT_EQ(Addresses(scenario.Run(), "default/pool"),
            "127.0.0.1:8000 127.0.0.1:8001 127.0.0.2:9000");
}

TEST(Pool, TakesAnAddressOnceAndByItsFirstPod) {
  PoolScenario scenario;
  scenario.AddPod("b", "127.0.0.1");
  scenario.AddPod("a", "127.0.0.1");
  const Translation translation = scenario.Run();
  EXPECT_EQ(Addresses(translation, "default/pool"), "127.0.0.1:8000");
  EXPECT_EQ(EntryOf(translation).pool.endpoints[0].name, "a");
}

TEST(Pool, EndpointsKeepTheirStateOverReloads) {
  PoolScenario scenario;
  scenario.AddPod("a", "127.0.0.1");
  const Translation before = scenario.Run();
  scenario.AddPod("b", "127.0.0.2");
  const Translation after = scenario.Run();
  EXPECT_EQ(EntryOf(before).pool.endpoints[0].state, EntryOf(after).pool.endpoints[0].state);
  EXPECT_NE(EntryOf(after).pool.endpoints[0].state, EntryOf(after).pool.endpoints[1].state);
}

TEST(Pool, RuntimeComesFromTheAnnotationAndThePodsLabelsComeFirst) {
  PoolScenario scenario;
  scenario.pool->meta.annotations[api::kRuntimeAnnotation] = "sglang";
  const std::pair<const char*, Runtime> kLabels[] = {
      {"vllm", Runtime::kVllm},
      {"sglang", Runtime::kSglang},
      {"trtllm-serve", Runtime::kTrtLlm},
      {"trt-llm", Runtime::kTrtLlm},
  };
  scenario.AddPod("0", "127.0.0.10");
  for (int i = 0; i < 4; ++i) {
    const std::string number = std::to_string(i + 1);
    scenario.AddPod(number, "127.0.0.1" + number).meta.labels["llm-d.ai/engine-type"] =
        kLabels[i].first;
  }
  api::Pod& both = scenario.AddPod("5", "127.0.0.15");
  both.meta.labels["llm-d.ai/engine-type"] = "vllm";
  both.meta.labels["inference.networking.k8s.io/engine-type"] = "trtllm-serve";
  scenario.AddPod("6", "127.0.0.16").meta.labels["inference.networking.k8s.io/engine-type"] =
      "trtllm-serve";
  scenario.AddPod("7", "127.0.0.17").meta.labels["llm-d.ai/engine-type"] = "own";
  const Translation translation = scenario.Run();
  const Endpoints& endpoints = EntryOf(translation).pool.endpoints;
  ASSERT_EQ(endpoints.size(), 8u);
  EXPECT_EQ(EntryOf(translation).pool.runtime, Runtime::kSglang);
  EXPECT_EQ(endpoints[0].runtime, Runtime::kSglang);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(endpoints[i + 1].runtime, kLabels[i].second);
  EXPECT_EQ(endpoints[5].runtime, Runtime::kVllm);
  EXPECT_EQ(endpoints[6].runtime, Runtime::kTrtLlm);
  EXPECT_EQ(endpoints[7].runtime, Runtime::kSglang);
  EXPECT_EQ(PoolSaid(translation, "Accepted"), "True/Accepted");
  EXPECT_EQ(PoolMessage(translation, "Accepted"),
            "Pod 7: label llm-d.ai/engine-type: must be vllm, sglang, trt-llm (or "
            "trtllm-serve) or triton-tensorrt-llm, got \"own\": taken as sglang");
}

TEST(Pool, TheAnnotationTakesTheSpellingsOfTheLabelToo) {
  const std::pair<const char*, Runtime> kValues[] = {
      {"trt-llm", Runtime::kTrtLlm},
      {"trtllm-serve", Runtime::kTrtLlm},
      {"triton-tensorrt-llm", Runtime::kTriton},
  };
  for (const auto& [value, runtime] : kValues) {
    PoolScenario scenario;
    scenario.pool->meta.annotations[api::kRuntimeAnnotation] = value;
    EXPECT_EQ(EntryOf(scenario.Run()).pool.runtime, runtime) << value;
  }
}

TEST(Pool, SaysOfManyPodsOnlyTheFirstFew) {
  PoolScenario scenario;
  for (int i = 0; i < 5; ++i) {
    const std::string number = std::to_string(i);
    scenario.AddPod(number, "127.0.0.1" + number).meta.labels["llm-d.ai/engine-type"] = "own";
  }
  const std::string message = PoolMessage(scenario.Run(), "Accepted");
  EXPECT_NE(message.find("Pod 2: "), std::string::npos);
  EXPECT_EQ(message.find("Pod 3: "), std::string::npos);
  EXPECT_TRUE(message.ends_with("; and 2 more")) << message;
}

TEST(Pool, WithoutAnnotationsRunsVllmByDefaultStrategy) {
  PoolScenario scenario;
  const Translation translation = scenario.Run();
  const PoolEntry& entry = EntryOf(translation);
  EXPECT_EQ(entry.pool.runtime, Runtime::kVllm);
  EXPECT_EQ(entry.pool.strategy, "DEFAULT");
  EXPECT_EQ(entry.profile->name(), "DEFAULT");
  EXPECT_EQ(entry.load_profile->name(), "LOAD");
  EXPECT_FALSE(entry.uses_prefix);
  EXPECT_EQ(entry.prefix.block_chars, 64u);
  EXPECT_EQ(entry.prefix.blocks_max, PrefixOptions::kNoLimit);
  EXPECT_TRUE(entry.models.takes_any_name());
  EXPECT_EQ(entry.unservable, "");
}

TEST(Pool, AnnotationsChooseStrategyAndPrefixHashing) {
  PoolScenario scenario;
  scenario.pool->meta.annotations = {
      {api::kStrategyAnnotation, "PREFIX_CACHE"}, {api::kRuntimeAnnotation, "trt-llm"},
      {"penstock.dev/prefix-block-chars", "128"}, {"penstock.dev/prefix-blocks-max", "512"},
      {"penstock.dev/stream-keepalive", "15s"},   {"example.com/other", "anything"}};
  const Translation translation = scenario.Run();
  EXPECT_EQ(PoolSaid(translation, "Accepted"), "True/Accepted");
  const PoolEntry& entry = EntryOf(translation);
  EXPECT_EQ(entry.pool.strategy, "PREFIX_CACHE");
  EXPECT_EQ(entry.pool.runtime, Runtime::kTrtLlm);
  EXPECT_EQ(entry.profile->name(), "PREFIX_CACHE");
  EXPECT_TRUE(entry.uses_prefix);
  EXPECT_EQ(entry.prefix.block_chars, 128u);
  EXPECT_EQ(entry.prefix.blocks_max, 512u);
  EXPECT_EQ(entry.stream_keepalive, std::chrono::seconds(15));
}

TEST(Pool, AnnotationsLimitWhatIsHereAtOnce) {
  PoolScenario scenario;
  EXPECT_EQ(EntryOf(scenario.Run()).breaker, nullptr);
  scenario.pool->meta.annotations = {{"penstock.dev/max-requests", "10"}};
  const Translation translation = scenario.Run();
  EXPECT_EQ(EntryOf(translation).breaker->requests.max(), 10);
  EXPECT_EQ(EntryOf(translation).breaker->waiting.max(), std::nullopt);
  scenario.pool->meta.annotations = {{"penstock.dev/max-waiting", "0"},
                                     {"penstock.dev/queueing", "true"}};
  EXPECT_EQ(EntryOf(scenario.Run()).breaker->waiting.max(), 0);
  scenario.pool->meta.annotations["penstock.dev/queueing"] = "false";
  EXPECT_EQ(EntryOf(scenario.Run()).breaker, nullptr) << "nobody waits";
}

TEST(Pool, SaysWhichOfItsPodsHaveNoAddress) {
  PoolScenario scenario;
  scenario.AddPod("waiting", "").ready = false;
  scenario.AddPod("ended", "").phase = "Succeeded";
  scenario.AddPod("other", "", "other");
  EXPECT_EQ(PoolMessage(scenario.Run(), "Accepted"),
            "Pod waiting: status.podIP is not given: not used");
  scenario.options.only_controller = false;
  EXPECT_EQ(PoolMessage(scenario.Run(), "Accepted"), "");
}

struct WrongAnnotation {
  const char* key;
  const char* value;
  const char* message;
};

void ExpectRefused(const WrongAnnotation& wrong) {
  PoolScenario scenario;
  scenario.pool->meta.annotations[wrong.key] = wrong.value;
  const Translation translation = scenario.Run();
  EXPECT_EQ(PoolSaid(translation, "Accepted"), "False/NotSupportedByParent");
  EXPECT_EQ(PoolMessage(translation, "Accepted"),
            std::string("annotation ") + wrong.key + ": " + wrong.message);
  EXPECT_EQ(Answer(translation), "500:1");
  EXPECT_EQ(EntryOf(translation).unservable, "InferencePool default/pool: annotation " +
                                                 std::string(wrong.key) + ": " + wrong.message);
}

TEST(Pool, WithAnAnnotationItCannotHonourIsRefusedAndAnswered500) {
  const WrongAnnotation kCases[] = {
      {api::kRuntimeAnnotation, "ollama",
       "must be vllm, sglang, trt-llm (or trtllm-serve) or triton-tensorrt-llm, got \"ollama\""},
      {api::kRuntimeAnnotation, "",
       "must be vllm, sglang, trt-llm (or trtllm-serve) or triton-tensorrt-llm, got \"\""},
      {api::kStrategyAnnotation, "FASTEST", "must be DEFAULT or PREFIX_CACHE, got \"FASTEST\""},
      {api::kStrategyAnnotation, "default",
       "must be DEFAULT or PREFIX_CACHE, got \"default\", did you mean \"DEFAULT\"?"},
      {"penstock.dev/prefix-block-chars", "15", "must be 16..65536, got \"15\""},
      {"penstock.dev/prefix-block-chars", "64 ", "must be 16..65536, got \"64 \""},
      {"penstock.dev/prefix-blocks-max", "0", "must be 1..4194304, got \"0\""},
      {"penstock.dev/prefix-blocks-max", "-1", "must be 1..4194304, got \"-1\""},
      {"penstock.dev/prefix-blocks-max", "99999999999999999999",
       "must be 1..4194304, got \"99999999999999999999\""},
      {"penstock.dev/prefix-block-char", "64",
       "unknown, did you mean \"penstock.dev/prefix-block-chars\"?"},
      {"penstock.dev/target-port", "64", "is not read on this kind, only on Pod"},
      {"penstock.dev/strategy", "64",
       "unknown; known are penstock.dev/endpoint-credentials, penstock.dev/endpoint-scheme, "
       "penstock.dev/endpoint-tls-server-name, penstock.dev/endpoint-tls-verify, "
       "penstock.dev/fallback, penstock.dev/max-requests, penstock.dev/max-waiting, "
       "penstock.dev/picker, penstock.dev/prefix-block-chars, "
       "penstock.dev/prefix-blocks-max, "
       "penstock.dev/queue-bytes-max, penstock.dev/queue-evict-below, "
       "penstock.dev/queue-requests-max, penstock.dev/queue-reserved, "
       "penstock.dev/queue-shares, "
       "penstock.dev/queue-timeout, penstock.dev/queue-without-endpoints, penstock.dev/queueing, "
       "penstock.dev/routing-strategy, penstock.dev/saturation-kv-cache, "
       "penstock.dev/saturation-requests, "
       "penstock.dev/saturation-waiting, "
       "penstock.dev/stream-keepalive and penstock.dev/stream-usage"},
      {"penstock.dev/max-requests", "0", "must be 1..1000000000, got \"0\""},
      {"penstock.dev/max-requests", "many", "must be 1..1000000000, got \"many\""},
      {"penstock.dev/max-waiting", "-1", "must be 0..1000000000, got \"-1\""},
      {"penstock.dev/max-waiting", "3",
       "says something only beside penstock.dev/queueing: \"true\""},
      {"penstock.dev/stream-usage", "yes", "must be \"true\" or \"false\", got \"yes\""},
      {"penstock.dev/stream-keepalive", "15",
       "must be a duration of 100ms to 1h, such as 15s, got \"15\""},
      {"penstock.dev/stream-keepalive", "0s",
       "must be a duration of 100ms to 1h, such as 15s, got \"0s\""},
  };
  for (const WrongAnnotation& wrong : kCases) ExpectRefused(wrong);
}

TEST(Pool, WithAnAnnotationOfItsQueueOrSaturationThatSaysNothingItIsRefused) {
  const WrongAnnotation kCases[] = {
      {"penstock.dev/queueing", "yes", "must be \"true\" or \"false\", got \"yes\""},
      {"penstock.dev/queue-evict-below", "high",
       "must be a priority, a whole number such as 0, got \"high\""},
      {"penstock.dev/queue-evict-below", "0",
       "says something only beside penstock.dev/queueing: \"true\""},
      {"penstock.dev/queue-reserved", "1=0",
       "must be places of each endpoint for a priority and those above it, 1 to 1000000, such as "
       "\"1=4\" or \"1=4,2=2\", got \"1=0\""},
      {"penstock.dev/queue-reserved", "1=2",
       "says something only beside penstock.dev/queueing: \"true\""},
      {"penstock.dev/saturation-waiting", "-1", "must be 0..1000000, got \"-1\""},
      {"penstock.dev/saturation-requests", "0", "must be 1..1000000, got \"0\""},
      {"penstock.dev/saturation-kv-cache", "80",
       "must be a ratio above 0 and at most 1, such as 0.8, got \"80\""},
      {"penstock.dev/saturation-kv-cache", "nan",
       "must be a ratio above 0 and at most 1, such as 0.8, got \"nan\""},
      {"penstock.dev/queue-timeout", "5s",
       "says something only beside penstock.dev/queueing: \"true\""},
  };
  for (const WrongAnnotation& wrong : kCases) ExpectRefused(wrong);
}

TEST(Pool, OfTheOldVersionUsesItsReason) {
  PoolScenario scenario(api::kInferenceXGroup);
  scenario.pool->meta.annotations[api::kStrategyAnnotation] = "FASTEST";
  EXPECT_EQ(PoolSaid(scenario.Run(), "Accepted"), "False/NotSupportedByGateway");
}

TEST(Pool, WithWhatIsNotBuiltIsRefusedAndAnswered500) {
  PoolScenario scenario;
  scenario.pool->app_protocol = api::InferencePool::AppProtocol::kH2c;
  scenario.pool->unsupported = {{"spec.appProtocol", -1, "is not supported yet"}};
  const Translation translation = scenario.Run();
  EXPECT_EQ(PoolSaid(translation, "Accepted"), "False/NotSupportedByParent");
  EXPECT_EQ(Said(ParentConditions(translation, "HTTPRoute", "route"), "ResolvedRefs"),
            "False/UnsupportedProtocol");
  EXPECT_EQ(Answer(translation), "500:1");
}

TEST(Pool, WithoutItsPickersServiceIsPickedForByUs) {
  PoolScenario scenario;
  scenario.pool->extension_ref.emplace().name = "picker";
  Translation translation = scenario.Run();
  EXPECT_EQ(PoolSaid(translation, "ResolvedRefs"), "True/ResolvedRefs");
  EXPECT_EQ(PoolMessage(translation, "ResolvedRefs"),
            "the built-in endpoint picker, there is no Service default/picker");
  EXPECT_EQ(Answer(translation), "default/pool:1");

  scenario.options.missing_picker = MissingPicker::kBuiltInOfOldGroup;
  translation = scenario.Run();
  EXPECT_EQ(PoolSaid(translation, "ResolvedRefs"), "False/InvalidExtensionRef");
  EXPECT_EQ(PoolMessage(translation, "ResolvedRefs"),
            "spec.endpointPickerRef: Service default/picker does not exist");
  EXPECT_EQ(Said(ParentConditions(translation, "HTTPRoute", "route"), "Accepted"), "True/Accepted");
  EXPECT_EQ(Answer(translation), "500:1");
}

TEST(Pool, OfTheOldGroupWithoutItsPickersServiceIsPickedForByUsOnAClusterToo) {
  PoolScenario scenario(api::kInferenceXGroup);
  scenario.pool->extension_ref.emplace().name = "picker";
  scenario.options.missing_picker = MissingPicker::kBuiltInOfOldGroup;
  EXPECT_EQ(PoolMessage(scenario.Run(), "ResolvedRefs"),
            "the built-in endpoint picker, there is no Service default/picker");
  EXPECT_EQ(Answer(scenario.Run()), "default/pool:1");
  // One that is there is somebody's.
  scenario.AddService("picker");
  EXPECT_EQ(PoolSaid(scenario.Run(), "ResolvedRefs"), "False/InvalidExtensionRef");
  EXPECT_EQ(Answer(scenario.Run()), "500:1");
}

TEST(Pool, WhosePickersServiceSaysThatItIsOursIsPickedForByUs) {
  for (const char* group : {api::kInferenceGroup, api::kInferenceXGroup}) {
    PoolScenario scenario(group);
    scenario.pool->extension_ref.emplace().name = "picker";
    scenario.options.missing_picker = MissingPicker::kBuiltInOfOldGroup;
    api::Service& service = scenario.AddService("picker");
    service.meta.labels["penstock.dev/picker"] = "built-in";
    EXPECT_EQ(PoolMessage(scenario.Run(), "ResolvedRefs"),
              "the built-in endpoint picker, as Service default/picker is labelled "
              "penstock.dev/picker: built-in");
    EXPECT_EQ(Answer(scenario.Run()), "default/pool:1");
    for (const char* other : {"external", "", "Built-In"}) {
      service.meta.labels["penstock.dev/picker"] = other;
      EXPECT_EQ(Answer(scenario.Run()), "500:1") << other;
    }
    // An annotation is no label.
    service.meta.labels.clear();
    service.meta.annotations["penstock.dev/picker"] = "built-in";
    EXPECT_EQ(Answer(scenario.Run()), "500:1");
    // It leads out of the cluster, whatever it says.
    service.meta.labels["penstock.dev/picker"] = "built-in";
    service.type = "ExternalName";
    EXPECT_EQ(Answer(scenario.Run()), "500:1");
  }
}

TEST(Pool, OfAnotherNamespacesServiceIsNotPickedForByUs) {
  PoolScenario scenario;
  scenario.pool->extension_ref.emplace().name = "picker";
  scenario.options.missing_picker = MissingPicker::kBuiltInOfOldGroup;
  scenario.AddService("picker", "other").meta.labels["penstock.dev/picker"] = "built-in";
  EXPECT_EQ(PoolMessage(scenario.Run(), "ResolvedRefs"),
            "spec.endpointPickerRef: Service default/picker does not exist");
}

TEST(Pool, WhosePickersServiceIsThereIsPickedForByUsIfItSaysSo) {
  PoolScenario scenario;
  scenario.AddService("picker");
  scenario.pool->extension_ref.emplace().name = "picker";
  EXPECT_EQ(Answer(scenario.Run()), "500:1");
  scenario.pool->meta.annotations["penstock.dev/picker"] = "built-in";
  Translation translation = scenario.Run();
  EXPECT_EQ(PoolMessage(translation, "ResolvedRefs"),
            "the built-in endpoint picker, in place of Service default/picker");
  EXPECT_EQ(Answer(translation), "default/pool:1");
  scenario.pool->meta.annotations["penstock.dev/picker"] = "external";
  translation = scenario.Run();
  EXPECT_EQ(PoolMessage(translation, "Accepted"),
            "annotation penstock.dev/picker: must be built-in, got \"external\"");
  EXPECT_EQ(Answer(translation), "500:1");
}

TEST(Pool, WhosePickersServiceIsNamedByTheFlagIsPickedForByUs) {
  for (const char* name : {"picker", "default/picker", "*"}) {
    PoolScenario scenario;
    scenario.AddService("picker");
    scenario.pool->extension_ref.emplace().name = "picker";
    scenario.options.builtin_pickers = {"other", name};
    const Translation translation = scenario.Run();
    EXPECT_EQ(PoolMessage(translation, "ResolvedRefs"),
              "the built-in endpoint picker, in place of Service default/picker (--picker-names)");
    EXPECT_EQ(Answer(translation), "default/pool:1") << name;
  }
  PoolScenario scenario;
  scenario.AddService("picker");
  scenario.pool->extension_ref.emplace().name = "picker";
  scenario.options.builtin_pickers = {"other", "elsewhere/picker", "pick"};
  EXPECT_EQ(Answer(scenario.Run()), "500:1");
}

TEST(Pool, WithAPickerWeCannotAskIsRefusedAndAnswered500) {
  const struct {
    const char* what;
    void (*change)(PoolScenario&);
    const char* message;
  } kCases[] = {
      {"external picker", [](PoolScenario& s) { s.AddService("picker"); },
       "spec.extensionRef: Service default/picker is an external endpoint picker, which is not "
       "supported yet; annotation penstock.dev/picker: built-in, or --picker-names picker, lets "
       "the built-in one pick"},
      {"ExternalName", [](PoolScenario& s) { s.AddService("picker").type = "ExternalName"; },
       "spec.extensionRef: Service default/picker must not be of type ExternalName"},
      {"invalid Service",
       [](PoolScenario& s) { s.AddInvalid("", "Service", "picker", "spec: is required"); },
       "spec.extensionRef: Service default/picker is invalid"},
      {"another kind", [](PoolScenario& s) { s.pool->extension_ref->kind = "Deployment"; },
       "spec.extensionRef: must be a Service, got Deployment"},
      {"another group", [](PoolScenario& s) { s.pool->extension_ref->group = "example.com"; },
       "spec.extensionRef: must be a Service, got example.com/Service"},
  };
  for (const auto& c : kCases) {
    PoolScenario scenario(api::kInferenceXGroup);
    scenario.pool->extension_ref.emplace().name = "picker";
    c.change(scenario);
    const Translation translation = scenario.Run();
    EXPECT_EQ(PoolSaid(translation, "Accepted"), "True/Accepted") << c.what;
    EXPECT_EQ(PoolSaid(translation, "ResolvedRefs"), "False/InvalidExtensionRef") << c.what;
    EXPECT_EQ(PoolMessage(translation, "ResolvedRefs"), c.message);
    EXPECT_EQ(Said(ParentConditions(translation, "HTTPRoute", "route"), "ResolvedRefs"),
              "True/ResolvedRefs");
    EXPECT_EQ(Answer(translation), "500:1") << c.what;
  }
}

TEST(Pool, OfBothGroupsAreTwoPools) {
  Scenario scenario;
  scenario.AddPool("pool", "default", api::kInferenceGroup);
  scenario.AddPool("pool", "default", api::kInferenceXGroup);
  scenario.AddPool("alone", "default", api::kInferenceXGroup);
  std::vector<std::string> ids;
  const Translation translation = scenario.Run();
  for (const auto& entry : translation.snapshot->pools) ids.push_back(entry->pool.id);
  EXPECT_EQ(ids, (std::vector<std::string>{"default/pool", "default/alone",
                                           "default/pool (inference.networking.x-k8s.io)"}));
}

}  // namespace
}  // namespace gw
