#include "server/other_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace gw {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

using Numbers = std::map<std::map<std::string, std::string>, double>;

class OtherNamesTest : public ::testing::Test {
 protected:
  OtherNamesTest() { RegisterOtherNames(metrics_, {.llm_d = true, .v0_5_1 = true}); }

  Numbers Of(std::string_view name) const {
    Numbers numbers;
    metrics_.VisitNumbers(name, [&numbers](const Labels& labels, double value) {
      numbers[{labels.begin(), labels.end()}] += value;
    });
    return numbers;
  }
  void Count(const char* pool, const char* status, const char* outcome, uint64_t n) {
    metrics_
        .AddCounter("penstock_requests_total", "R.",
                    {{"pool", pool},
                     {"model", "m"},
                     {"target_model", "t"},
                     {"status", status},
                     {"outcome", outcome}})
        .Add(n);
  }
  void TellOfEndpoint(const char* name, std::vector<std::pair<const char*, double>> values) {
    metrics_.AddCallback(name, "E.", "gauge", [values = std::move(values)](const auto& sink) {
      for (const auto& [endpoint, value] : values) {
        sink({{"pool", "default/qwen"}, {"pod", endpoint}, {"endpoint", "127.0.0.11:8000"}}, value);
      }
    });
  }

  MetricRegistry metrics_;
};

TEST_F(OtherNamesTest, RequestsOfAModelAreTakenTogether) {
  Count("default/qwen", "200", "complete", 5);
  Count("default/qwen", "429", "rejected", 2);
  Count("other/pool", "200", "client_left", 1);
  Count("service default/web:80", "200", "complete", 100);
  Count("backend default/openai", "200", "complete", 100);
  Count("", "404", "rejected", 100);
  const Numbers all = {{{{"model_name", "m"}, {"target_model_name", "t"}}, 8}};
  EXPECT_EQ(Of("llm_d_epp_request_total"), all);
  EXPECT_EQ(Of("inference_model_request_total"), all);
  EXPECT_EQ(
      Of("llm_d_epp_request_error_total"),
      (Numbers{
          {{{"model_name", "m"}, {"target_model_name", "t"}, {"error_code", "ResourceExhausted"}},
           2}}));
  EXPECT_EQ(Of("inference_model_request_error_total"),
            (Numbers{{{{"model_name", "m"},
                       {"target_model_name", "t"},
                       {"error_code", "InferencePoolResourceExhausted"}},
                      2}}));
}

TEST_F(OtherNamesTest, HistogramsAreOursAddedUp) {
  const std::vector<double> bounds = {1, 2};
  for (const char* pool : {"default/a", "default/b", "service default/web:80"}) {
    Histogram& histogram =
        metrics_.AddHistogram("penstock_request_duration_seconds", "D.", bounds,
                              {{"pool", pool}, {"model", "m"}, {"target_model", "t"}});
    histogram.Observe(0.5, Exemplar{1, 2, 3, 4});
    histogram.Observe(3);
  }
  const std::string page = metrics_.Render();
  for (const std::string name :
       {"llm_d_epp_request_duration_seconds", "inference_model_request_duration_seconds"}) {
    const std::string labels = "model_name=\"m\",target_model_name=\"t\"";
    EXPECT_THAT(page, HasSubstr("# TYPE " + name + " histogram\n" +                 //
                                name + "_bucket{" + labels + ",le=\"1\"} 2\n" +     //
                                name + "_bucket{" + labels + ",le=\"2\"} 2\n" +     //
                                name + "_bucket{" + labels + ",le=\"+Inf\"} 4\n" +  //
                                name + "_sum{" + labels + "} 7\n" +                 //
                                name + "_count{" + labels + "} 4\n"));
  }
}

TEST_F(OtherNamesTest, PoolsAreDescribedByTheirEndpoints) {
  TellOfEndpoint("penstock_endpoint_waiting_requests", {{"a", 2}, {"b", 6}});
  TellOfEndpoint("penstock_endpoint_kv_cache_utilization_ratio", {{"a", 0.25}, {"b", 0.75}});
  for (const auto& [state, count] : {std::pair("ready", 2), {"stale", 1}, {"ejected", 0}}) {
    metrics_.AddGauge("penstock_pool_endpoints", "P.", {{"pool", "default/qwen"}, {"state", state}})
        .Set(count);
  }
  const auto of_pool = [](double value) { return Numbers{{{{"name", "qwen"}}, value}}; };
  EXPECT_EQ(Of("llm_d_epp_average_queue_size"), of_pool(4));
  EXPECT_EQ(Of("llm_d_epp_std_dev_queue_size"), of_pool(2));
  EXPECT_EQ(Of("llm_d_epp_average_kv_cache_utilization"), of_pool(0.5));
  EXPECT_EQ(Of("llm_d_epp_std_dev_kv_cache_utilization"), of_pool(0.25));
  EXPECT_EQ(Of("llm_d_epp_ready_endpoints"), of_pool(3));
  EXPECT_EQ(Of("inference_pool_average_queue_size"), of_pool(4));
  EXPECT_EQ(Of("inference_pool_average_kv_cache_utilization"), of_pool(0.5));
  EXPECT_EQ(Of("inference_pool_ready_pods"), of_pool(3));
  EXPECT_EQ(Of("llm_d_epp_per_endpoint_queue_size"),
            (Numbers{{{{"name", "qwen"}, {"model_server_endpoint", "a"}}, 2},
                     {{{"name", "qwen"}, {"model_server_endpoint", "b"}}, 6}}));
  EXPECT_EQ(Of("inference_pool_per_pod_queue_size"),
            (Numbers{{{{"name", "qwen"}, {"model_server_pod", "a"}}, 2},
                     {{{"name", "qwen"}, {"model_server_pod", "b"}}, 6}}));
  // Nothing has told of these.
  EXPECT_EQ(Of("llm_d_epp_average_running_requests"), Numbers());
}

TEST_F(OtherNamesTest, QueuesAndTheRest) {
  const auto queue = [this](const char* result, uint64_t n) {
    metrics_
        .AddCounter(
            "penstock_queue_requests_total", "Q.",
            {{"pool", "default/qwen"}, {"priority", "1"}, {"tenant", "a"}, {"result", result}})
        .Add(n);
  };
  queue("passed", 1);
  queue("waited", 2);
  queue("evicted", 4);
  queue("full", 8);
  queue("expired", 16);
  queue("cancelled", 32);
  EXPECT_EQ(Of("llm_d_epp_flow_control_requests_total"),
            (Numbers{{{{"outcome", "Dispatched"}}, 7},
                     {{{"outcome", "RejectedCapacity"}}, 8},
                     {{{"outcome", "EvictedTTL"}}, 16},
                     {{{"outcome", "EvictedContextCancelled"}}, 32}}));
  metrics_
      .AddGauge("penstock_queue_waiting_requests", "W.",
                {{"pool", "default/qwen"}, {"priority", "1"}, {"tenant", "a"}})
      .Set(3);
  EXPECT_EQ(Of("llm_d_epp_flow_control_queue_size"),
            (Numbers{{{{"inference_pool", "qwen"}, {"priority", "1"}, {"fairness_id", "a"}}, 3}}));
  metrics_.AddGauge("penstock_queue_waiting_bytes", "B.", {{"pool", "default/qwen"}}).Set(9);
  EXPECT_EQ(Of("llm_d_epp_flow_control_queue_bytes"), (Numbers{{{{"inference_pool", "qwen"}}, 9}}));
  metrics_.AddGauge("penstock_build_info", "I.", {{"version", "1"}, {"commit", "c"}}).Set(1);
  EXPECT_EQ(Of("llm_d_epp_info"), (Numbers{{{{"commit", "c"}, {"build_ref", "1"}}, 1}}));
  EXPECT_EQ(Of("inference_extension_info"), Of("llm_d_epp_info"));
  metrics_.AddGauge("penstock_requests_in_flight", "F.", {{"pool", "default/qwen"}}).Set(2);
  metrics_.AddGauge("penstock_requests_in_flight", "F.", {{"pool", "default/b"}}).Set(3);
  EXPECT_EQ(Of("llm_d_epp_request_running"), (Numbers{{{}, 5}}));
}

TEST(OtherNames, AreOnlyThoseThatAreAskedFor) {
  MetricRegistry none;
  RegisterOtherNames(none, {});
  EXPECT_EQ(none.Render(), "");
  MetricRegistry llm_d;
  RegisterOtherNames(llm_d, *OtherNamesFrom("llm-d"));
  EXPECT_THAT(llm_d.Render(), HasSubstr("llm_d_epp_request_total"));
  EXPECT_THAT(llm_d.Render(), Not(HasSubstr("inference_")));
}

TEST(OtherNames, AreReadFromAList) {
  EXPECT_TRUE(OtherNamesFrom("llm-d")->llm_d);
  EXPECT_FALSE(OtherNamesFrom("llm-d")->v0_5_1);
  EXPECT_FALSE(OtherNamesFrom("v0.5.1")->llm_d);
  EXPECT_TRUE(OtherNamesFrom("v0.5.1,llm-d")->llm_d);
  EXPECT_TRUE(OtherNamesFrom("v0.5.1,llm-d")->v0_5_1);
  for (const char* wrong : {"", "llm", "llm-d,", ",llm-d", "llm-d, v0.5.1"}) {
    EXPECT_THAT(std::string(OtherNamesFrom(wrong).status().message()),
                HasSubstr("must be a list of llm-d, v0.5.1, got \""))
        << wrong;
  }
}

TEST(OtherNames, ErrorsHaveTheCodesOfTheirPicker) {
  struct Case {
    const char* status;
    const char* outcome;
    const char* llm_d;  // "": no error
    const char* v0_5_1;
  };
  constexpr Case kCases[] = {
      {"200", "complete", "", ""},
      {"304", "complete", "", ""},
      {"400", "complete", "ModelServerError", "ModelServerError"},
      {"500", "complete", "ModelServerError", "ModelServerError"},
      {"200", "client_left", "", ""},
      {"0", "client_left", "", ""},
      {"200", "upstream_broke", "ModelServerError", "ModelServerError"},
      {"200", "error_event", "ModelServerError", "ModelServerError"},
      {"200", "aborted", "ModelServerError", "ModelServerError"},
      {"200", "timed_out", "ModelServerError", "ModelServerError"},
      {"200", "evicted", "ResourceExhausted", "InferencePoolResourceExhausted"},
      {"429", "rejected", "ResourceExhausted", "InferencePoolResourceExhausted"},
      {"400", "rejected", "BadRequest", "BadRequest"},
      {"401", "rejected", "Unauthorized", "BadRequest"},
      {"403", "rejected", "Forbidden", "BadRequest"},
      {"404", "rejected", "NotFound", "BadRequest"},
      {"412", "rejected", "PreconditionFailed", "BadRequest"},
      {"413", "rejected", "BadRequest", "BadRequest"},
      {"500", "rejected", "Internal", "Internal"},
      {"502", "rejected", "ModelServerError", "ModelServerError"},
      {"503", "rejected", "ServiceUnavailable", "ServiceUnavailable"},
      {"504", "rejected", "ModelServerError", "ModelServerError"},
  };
  for (const Case& each : kCases) {
    EXPECT_EQ(ErrorCodeOf(each.status, each.outcome, false).value_or(""), each.llm_d)
        << each.status << " " << each.outcome;
    EXPECT_EQ(ErrorCodeOf(each.status, each.outcome, true).value_or(""), each.v0_5_1)
        << each.status << " " << each.outcome;
  }
}

}  // namespace
}  // namespace gw
