#include "trace/otlp.h"

#include <fmt/format.h>

#include <iterator>

#include "base/check.h"
#include "base/escape.h"

namespace gw {
namespace {

void AppendText(std::string_view text, std::string* out) {
  *out += '"';
  AppendJsonEscaped(out, text);
  *out += '"';
}

void AppendId(std::string_view name, auto id, std::string* out) {
  fmt::format_to(std::back_inserter(*out), "\"{}\":\"", name);
  AppendHex(id, out);
  *out += "\",";
}

}  // namespace

OtlpSpans::OtlpSpans(std::span<const Attribute> resource, std::string_view scope,
                     std::string_view version) {
  out_ = R"({"resourceSpans":[{"resource":{"attributes":[)";
  for (const auto& [key, value] : resource) Text(key, value);
  out_ += R"(]},"scopeSpans":[{"scope":{"name":)";
  AppendText(scope, &out_);
  out_ += R"(,"version":)";
  AppendText(version, &out_);
  out_ += R"(},"spans":[)";
}

void OtlpSpans::Begin(const SpanHead& head) {
  DCHECK(!open_ && head.begin_ns <= head.end_ns && head.span != 0);
  open_ = true;
  first_attribute_ = true;
  events_.clear();
  status_.clear();
  out_ += count_++ == 0 ? "{" : ",{";
  AppendId("traceId", head.trace, &out_);
  AppendId("spanId", head.span, &out_);
  if (head.parent != 0) AppendId("parentSpanId", head.parent, &out_);
  out_ += "\"name\":";
  AppendText(head.name, &out_);
  fmt::format_to(std::back_inserter(out_),
                 R"(,"kind":{},"startTimeUnixNano":"{}","endTimeUnixNano":"{}","attributes":[)",
                 static_cast<int>(head.kind), head.begin_ns, head.end_ns);
}

void OtlpSpans::Key(std::string_view key) {
  if (!first_attribute_) out_ += ',';
  first_attribute_ = false;
  out_ += R"({"key":)";
  AppendText(key, &out_);
  out_ += R"(,"value":{)";
}

void OtlpSpans::Text(std::string_view key, std::string_view value) {
  if (value.empty()) return;
  Key(key);
  out_ += R"("stringValue":)";
  AppendText(value, &out_);
  out_ += "}}";
}

void OtlpSpans::Integer(std::string_view key, int64_t value) {
  Key(key);
  fmt::format_to(std::back_inserter(out_), R"("intValue":"{}"}}}})", value);
}

void OtlpSpans::Number(std::string_view key, double value) {
  Key(key);
  fmt::format_to(std::back_inserter(out_), R"("doubleValue":{}}}}})", value);
}

void OtlpSpans::Bool(std::string_view key, bool value) {
  Key(key);
  fmt::format_to(std::back_inserter(out_), R"("boolValue":{}}}}})", value);
}

void OtlpSpans::Event(std::string_view name, int64_t at_ns) {
  events_ += events_.empty() ? "" : ",";
  fmt::format_to(std::back_inserter(events_), R"({{"timeUnixNano":"{}","name":)", at_ns);
  AppendText(name, &events_);
  events_ += '}';
}

void OtlpSpans::Fail(std::string_view message) {
  status_ = R"("code":2)";
  if (message.empty()) return;
  status_ += R"(,"message":)";
  AppendText(message, &status_);
}

void OtlpSpans::End() {
  DCHECK(open_);
  open_ = false;
  out_ += ']';
  if (!events_.empty()) out_ += ",\"events\":[" + events_ + "]";
  out_ += ",\"status\":{" + status_ + "}}";
}

std::string OtlpSpans::Finish() {
  DCHECK(!open_);
  out_ += "]}]}]}";
  return std::move(out_);
}

}  // namespace gw
