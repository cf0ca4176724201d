// OtlpSpans: spans as the JSON of an ExportTraceServiceRequest (OTLP 1), written as they come. Ids
// are hexadecimal, 64-bit numbers text, enumerators numbers, as OTLP wants JSON.
//
//   OtlpSpans batch({{"service.name", "penstock"}}, "penstock", "1.0");
//   batch.Begin({.trace = id, .span = 1, .name = "POST", .kind = SpanKind::kServer, ...});
//   batch.Text("url.path", "/v1/models");
//   batch.End();
//   std::string body = batch.Finish();

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "trace/context.h"

namespace gw {

enum class SpanKind : uint8_t { kInternal = 1, kServer = 2, kClient = 3 };

struct SpanHead {
  TraceId trace;
  SpanId span = 0;
  SpanId parent = 0;  // 0: it is the trace's first
  std::string_view name;
  SpanKind kind = SpanKind::kInternal;
  // Nanoseconds since 1970. REQUIRES: begin_ns <= end_ns
  int64_t begin_ns = 0;
  int64_t end_ns = 0;
};

class OtlpSpans {
 public:
  using Attribute = std::pair<std::string_view, std::string_view>;

  // `resource`: what is the same for all of them. Empty values are left out, here and below.
  OtlpSpans(std::span<const Attribute> resource, std::string_view scope, std::string_view version);

  // Each span from here to its End. REQUIRES: none is open
  void Begin(const SpanHead& head);
  // Attributes of the open span, before its events.
  void Text(std::string_view key, std::string_view value);
  void Integer(std::string_view key, int64_t value);
  void Number(std::string_view key, double value);  // REQUIRES: it is finite
  void Bool(std::string_view key, bool value);
  void Event(std::string_view name, int64_t at_ns);
  void Fail(std::string_view message);  // its status is Error; `message` may be empty
  void End();

  size_t count() const { return count_; }
  size_t bytes() const { return out_.size(); }
  // The whole body. Nothing follows.
  std::string Finish();

 private:
  void Key(std::string_view key);

  std::string out_;
  std::string events_;  // of the open span
  std::string status_;
  size_t count_ = 0;
  bool open_ = false;
  bool first_attribute_ = true;
};

}  // namespace gw
