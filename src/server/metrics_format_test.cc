#include "server/metrics_format.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

TEST(MetricsFormat, OpenMetricsIsForWhoPrefersIt) {
  for (const char* accept : {
           // As Prometheus 2 and 3 send it.
           "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
           "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
           "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
           "application/openmetrics-text;version=0.0.1;q=0.4,"
           "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,"
           "*/*;q=0.1",
           "application/openmetrics-text",
           "Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=0.001",
           "application/openmetrics-text; version=1.0.0; charset=utf-8",
           "application/openmetrics-text, */*",
           "*/*, application/openmetrics-text",
           "application/openmetrics-text;q=0.8, text/plain;q=0.8",
           "application/openmetrics-text;q=0.5, text/plain;q=0, */*",
           "text/plain;version=0.0.4;q=0.1, text/plain, application/openmetrics-text;q=0.5",
           ", ,application/openmetrics-text,",
           "a/b;c=\"application/x, text/plain\", application/openmetrics-text",
       }) {
    EXPECT_EQ(MetricsFormatFor(accept), MetricsFormat::kOpenMetrics) << accept;
  }
}

TEST(MetricsFormat, EverybodyElseGetsText) {
  for (const char* accept : {
           "",
           "*/*",
           "text/plain",
           "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
           "application/*",
           "application/openmetrics-text;version=0.0.1",
           "application/openmetrics-text;version=2.0.0, */*;q=0.1",
           "application/openmetrics-text;q=0",
           "application/openmetrics-text;q=0.000, text/plain;q=0",
           "application/openmetrics-text;q=0.5, text/plain",
           "application/openmetrics-text;q=0.5, text/*;q=0.6",
           "text/plain, application/openmetrics-text",
           "application/openmetrics-text;q=2",
           "application/openmetrics-text;q=1.001",
           "application/openmetrics-text;q=0.1234",
           "application/openmetrics-text;q=",
           "application/openmetrics-text;q=x",
           "application/openmetrics-text;q=-1",
           "application/openmetrics-textual",
           "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily",
           "a/b;c=\"application/openmetrics-text, \\\"",
           ";;;,,,===\"",
       }) {
    EXPECT_EQ(MetricsFormatFor(accept), MetricsFormat::kText) << accept;
  }
}

TEST(MetricsFormat, HasItsContentType) {
  EXPECT_EQ(ContentTypeOf(MetricsFormat::kText), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(ContentTypeOf(MetricsFormat::kOpenMetrics),
            "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

}  // namespace
}  // namespace gw
