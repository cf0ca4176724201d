#include "sim/server/fault.h"

#include <charconv>

#include "sim/server/text.h"

namespace gw::sim {
namespace {

struct Name {
  std::string_view name;
  FaultKind kind;
  enum class Value : uint8_t { kNone, kNumber, kTime } value;
};

constexpr Name kNames[] = {
    {"refuse", FaultKind::kRefuse, Name::Value::kNone},
    {"die", FaultKind::kDie, Name::Value::kNone},
    {"hang", FaultKind::kHang, Name::Value::kNone},
    {"hang-after-headers", FaultKind::kHangAfterHeaders, Name::Value::kNone},
    {"error", FaultKind::kError, Name::Value::kNumber},
    {"unhealthy", FaultKind::kUnhealthy, Name::Value::kNone},
    {"break-after", FaultKind::kBreakAfter, Name::Value::kNumber},
    {"close-after", FaultKind::kCloseAfter, Name::Value::kNumber},
    {"error-event-after", FaultKind::kErrorEventAfter, Name::Value::kNumber},
    {"slow-metrics", FaultKind::kSlowMetrics, Name::Value::kTime},
    {"late-error", FaultKind::kLateError, Name::Value::kTime},
    {"no-transfer", FaultKind::kNoTransfer, Name::Value::kNone},
    {"busy-beyond", FaultKind::kBusyBeyond, Name::Value::kNumber},
};

// Takes a number off the front of `text`.
bool TakeNumber(std::string_view* text, uint32_t* number) {
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *number);
  if (error != std::errc() || end == text->data()) return false;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return true;
}

absl::Status Wrong(std::string_view text, std::string_view wanted) {
  return absl::InvalidArgumentError(Concat({"fault \"", text, "\": ", wanted}));
}

absl::Status ParseValue(std::string_view text, const Name& name, std::string_view value,
                        Fault* fault) {
  switch (name.value) {
    case Name::Value::kNone:
      return value.empty() ? absl::OkStatus() : Wrong(text, "takes no value");
    case Name::Value::kTime:
      return ParseTime(value, &fault->delay) ? absl::OkStatus()
                                             : Wrong(text, "wants a time such as 200ms or 2s");
    case Name::Value::kNumber:
      if (!TakeNumber(&value, &fault->number) || !value.empty()) {
        return Wrong(text, "wants a number");
      }
      if (fault->kind == FaultKind::kError && (fault->number < 400 || fault->number > 599)) {
        return Wrong(text, "wants a status from 400 to 599");
      }
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

}  // namespace

bool ParseTime(std::string_view text, Duration* time) {
  uint32_t number = 0;
  if (!TakeNumber(&text, &number)) return false;
  if (text == "ms") {
    *time = std::chrono::milliseconds(number);
  } else if (text == "s") {
    *time = std::chrono::seconds(number);
  } else {
    return false;
  }
  return true;
}

absl::StatusOr<FaultOrder> ParseFaultOrder(std::string_view text) {
  FaultOrder order{};
  std::string_view rest = text;
  if (rest.starts_with("replica=")) {
    rest.remove_prefix(8);
    uint32_t replica = 0;
    if (!TakeNumber(&rest, &replica) || !rest.starts_with(':')) {
      return Wrong(text, "wants replica=NUMBER:FAULT");
    }
    rest.remove_prefix(1);
    order.replica = replica;
  }
  const size_t equals = rest.find('=');
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : rest.substr(equals + 1);
  const std::string_view wanted_name = rest.substr(0, equals);
  std::string known;
  for (const Name& name : kNames) {
    if (name.name == wanted_name) {
      order.fault.kind = name.kind;
      RETURN_IF_ERROR(ParseValue(text, name, value, &order.fault));
      return order;
    }
    Append(&known, {known.empty() ? "" : ", ", name.name});
  }
  return Wrong(text, Concat({"is none of ", known}));
}

void FaultState::Add(const Fault& fault) {
  for (const Name& name : kNames) {
    if (name.kind != fault.kind) continue;
    Append(&description, {description.empty() ? "" : " ", name.name});
    if (name.value == Name::Value::kNumber) Append(&description, {"=", Digits(fault.number)});
  }
  switch (fault.kind) {
    case FaultKind::kRefuse:
    case FaultKind::kDie:
      down = true;
      break;
    case FaultKind::kHang:
      hang = true;
      break;
    case FaultKind::kHangAfterHeaders:
      hang_after_headers = true;
      break;
    case FaultKind::kError:
      error_status = static_cast<int>(fault.number);
      break;
    case FaultKind::kUnhealthy:
      unhealthy = true;
      break;
    case FaultKind::kBreakAfter:
    case FaultKind::kCloseAfter:
    case FaultKind::kErrorEventAfter:
      cut_after_tokens = fault.number;
      cut = fault.kind == FaultKind::kBreakAfter   ? Cut::kReset
            : fault.kind == FaultKind::kCloseAfter ? Cut::kClose
                                                   : Cut::kErrorEvent;
      break;
    case FaultKind::kSlowMetrics:
      metrics_delay = fault.delay;
      break;
    case FaultKind::kLateError:
      error_delay = fault.delay;
      break;
    case FaultKind::kNoTransfer:
      no_transfer = true;
      break;
    case FaultKind::kBusyBeyond:
      busy_beyond = fault.number;
      break;
  }
}

}  // namespace gw::sim
