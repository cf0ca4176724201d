#include "trace/otlp.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

TEST(OtlpSpans, AreWrittenAsOtlpWantsItsJson) {
  const OtlpSpans::Attribute resource[] = {{"service.name", "edge"}, {"service.version", ""}};
  OtlpSpans spans(resource, "penstock", "1.2.3");
  spans.Begin({.trace = {0x5b8efff798038103, 0xd269b633813fc60c},
               .span = 0xeee19b7ec3c1b174,
               .parent = 0xeee19b7ec3c1b173,
               .name = "POST \"x\"",
               .kind = SpanKind::kServer,
               .begin_ns = 1544712660000000000,
               .end_ns = 1544712661000000000});
  spans.Text("url.path", "/a\n");
  spans.Text("empty", "");
  spans.Integer("status", -5);
  spans.Number("score", 0.25);
  spans.Bool("stream", true);
  spans.Event("first_token", 1544712660500000000);
  spans.Fail("why");
  spans.End();
  spans.Begin({.trace = {0, 1}, .span = 2, .name = "n", .begin_ns = 3, .end_ns = 3});
  spans.End();
  EXPECT_EQ(spans.count(), 2);
  EXPECT_EQ(
      spans.Finish(),
      R"({"resourceSpans":[{"resource":{"attributes":[)"
      R"({"key":"service.name","value":{"stringValue":"edge"}}]},)"
      R"("scopeSpans":[{"scope":{"name":"penstock","version":"1.2.3"},"spans":[)"
      R"({"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174",)"
      R"("parentSpanId":"eee19b7ec3c1b173","name":"POST \"x\"","kind":2,)"
      R"("startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000",)"
      R"("attributes":[{"key":"url.path","value":{"stringValue":"/a\n"}},)"
      R"({"key":"status","value":{"intValue":"-5"}},)"
      R"({"key":"score","value":{"doubleValue":0.25}},)"
      R"({"key":"stream","value":{"boolValue":true}}],)"
      R"("events":[{"timeUnixNano":"1544712660500000000","name":"first_token"}],)"
      R"("status":{"code":2,"message":"why"}},)"
      R"({"traceId":"00000000000000000000000000000001","spanId":"0000000000000002","name":"n",)"
      R"("kind":1,"startTimeUnixNano":"3","endTimeUnixNano":"3","attributes":[],)"
      R"("status":{}}]}]}]})");
}

}  // namespace
}  // namespace gw
