#include "peers/greeting.h"

#include <fmt/format.h>

#include "peers/message.h"
#include "peers/varint.h"

namespace gw::peers {
namespace {

// What no other protocol begins with, behind the head.
constexpr std::string_view kMagic = "penstock peers\n";
constexpr size_t kNameMax = 253;

void WriteMessage(Kind kind, std::string_view payload, std::string* out) {
  out->push_back(static_cast<char>(kind));
  PutFixed(static_cast<uint32_t>(payload.size()), out);
  *out += payload;
}

}  // namespace

void WriteGreeting(const Greeting& greeting, std::string* out) {
  std::string payload(kMagic);
  PutVarint(greeting.version, &payload);
  PutFixed(greeting.id, &payload);
  payload += std::string_view(greeting.name).substr(0, kNameMax);
  WriteMessage(Kind::kHello, payload, out);
}

absl::Status ReadGreeting(std::string_view payload, Greeting* greeting) {
  if (!payload.starts_with(kMagic)) {
    return absl::InvalidArgumentError("it is not a gateway of this kind");
  }
  payload.remove_prefix(kMagic.size());
  uint64_t version = 0;
  if (!TakeVarint(&payload, UINT32_MAX, &version)) {
    return absl::InvalidArgumentError("its greeting has no version");
  }
  if (version != Greeting::kVersion) {
    return absl::FailedPreconditionError(
        fmt::format("it speaks version {} and not {}", version, Greeting::kVersion));
  }
  if (payload.size() < sizeof(uint64_t) || payload.size() > sizeof(uint64_t) + kNameMax) {
    return absl::InvalidArgumentError("malformed greeting");
  }
  greeting->version = static_cast<uint32_t>(version);
  greeting->id = FixedAt<uint64_t>(payload);
  greeting->name = payload.substr(sizeof(uint64_t));
  return absl::OkStatus();
}

void WriteBye(std::string_view reason, std::string* out) {
  WriteMessage(Kind::kBye, reason.substr(0, kNameMax), out);
}

}  // namespace gw::peers
