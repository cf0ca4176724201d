#include "trace/context.h"

#include <algorithm>

#include "base/text.h"

namespace gw {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr size_t kKeyBytesMax = 256;
constexpr size_t kValueBytesMax = 256;

// Lower-case digits only: 16 of them at most. False if there is anything else.
bool ReadHex(std::string_view digits, uint64_t* value) {
  *value = 0;
  for (const char c : digits) {
    const size_t digit = kDigits.find(c);
    if (digit == kDigits.npos) return false;
    *value = *value << 4 | digit;
  }
  return true;
}

void WriteHex(uint64_t value, size_t digits, char* out) {
  for (size_t i = digits; i-- > 0; value >>= 4) out[i] = kDigits[value & 15];
}

bool IsKeyStart(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool IsKey(char c) {
  return IsKeyStart(c) || std::string_view("_-*/@").find(c) != std::string_view::npos;
}

bool IsMember(std::string_view member) {
  const size_t equals = member.find('=');
  if (equals == member.npos || equals == 0 || equals > kKeyBytesMax) return false;
  const std::string_view key = member.substr(0, equals);
  const std::string_view value = member.substr(equals + 1);
  if (!IsKeyStart(key.front()) || !std::ranges::all_of(key, IsKey)) return false;
  if (value.empty() || value.size() > kValueBytesMax) return false;
  return std::ranges::all_of(value, [](char c) { return c >= ' ' && c <= '~' && c != '='; });
}

}  // namespace

TraceId NewTraceId(Random& random) {
  TraceId id{random.Next(), random.Next()};
  // Samplers look at the low half alone.
  if (id.low == 0) id.low = 1;
  return id;
}

SpanId NewSpanId(Random& random) { return std::max<SpanId>(random.Next(), 1); }

void AppendHex(TraceId id, std::string* out) {
  AppendHex(id.high, out);
  AppendHex(id.low, out);
}

void AppendHex(SpanId id, std::string* out) {
  out->resize(out->size() + 16);
  WriteHex(id, 16, out->data() + out->size() - 16);
}

std::optional<TraceContext> ParseTraceparent(std::string_view value) {
  constexpr size_t kBytes = std::tuple_size_v<TraceparentText>;
  if (value.size() < kBytes) return std::nullopt;
  uint64_t version = 0;
  uint64_t flags = 0;
  TraceContext context;
  const bool well_formed = ReadHex(value.substr(0, 2), &version) && value[2] == '-' &&
                           ReadHex(value.substr(3, 16), &context.trace.high) &&
                           ReadHex(value.substr(19, 16), &context.trace.low) && value[35] == '-' &&
                           ReadHex(value.substr(36, 16), &context.span) && value[52] == '-' &&
                           ReadHex(value.substr(53, 2), &flags);
  if (!well_formed || version == 0xff) return std::nullopt;
  if (value.size() > kBytes && (version == 0 || value[kBytes] != '-')) return std::nullopt;
  if (context.trace == TraceId{} || context.span == 0) return std::nullopt;
  context.sampled = (flags & 1) != 0;
  return context;
}

std::string_view WriteTraceparent(const TraceContext& context, TraceparentText* storage) {
  char* const out = storage->data();
  std::copy_n("00-", 3, out);
  WriteHex(context.trace.high, 16, out + 3);
  WriteHex(context.trace.low, 16, out + 19);
  out[35] = '-';
  WriteHex(context.span, 16, out + 36);
  std::copy_n(context.sampled ? "-01" : "-00", 3, out + 52);
  return {out, storage->size()};
}

bool IsTracestate(std::string_view value, size_t* members) {
  for (size_t at = 0; at <= value.size();) {
    const size_t end = std::min(value.find(',', at), value.size());
    const std::string_view member = Trimmed(value.substr(at, end - at));
    at = end + 1;
    if (member.empty()) continue;
    if (!IsMember(member) || ++*members > kTracestateMembersMax) return false;
  }
  return true;
}

}  // namespace gw
