#include "sim/server/transfer_reader.h"

namespace gw::sim::internal {
namespace {

namespace od = simdjson::ondemand;

constexpr std::string_view kBadPort = "a port from 1 to 65535";

bool IsNull(od::value& value) {
  bool is_null = false;
  return !value.is_null().get(is_null) && is_null;
}

bool ReadPort(od::value& value, uint16_t* port) {
  uint64_t number = 0;
  if (value.get_uint64().get(number) || number == 0 || number > 65535) return false;
  *port = static_cast<uint16_t>(number);
  return true;
}

std::string_view ReadNixlMember(std::string_view key, od::value& value, NixlParams* params) {
  std::string_view text;
  if (key == "do_remote_decode" || key == "do_remote_prefill") {
    bool& flag = key == "do_remote_decode" ? params->do_remote_decode : params->do_remote_prefill;
    return value.get_bool().get(flag) ? "truth values" : "";
  }
  if (key == "remote_port") return ReadPort(value, &params->port) ? "" : kBadPort;
  std::string* const target = key == "remote_engine_id"    ? &params->engine_id
                              : key == "remote_request_id" ? &params->request_id
                              : key == "remote_host"       ? &params->host
                                                           : nullptr;
  if (target == nullptr) return "";
  if (value.get_string().get(text)) return "a valid string";
  target->assign(text);
  return "";
}

std::string_view ReadBootstrapValue(std::string_view key, od::value& value,
                                    BootstrapFields* fields) {
  if (key == "bootstrap_host") {
    std::string_view host;
    if (value.get_string().get(host)) return "a valid string";
    fields->hosts.emplace_back(host);
  } else if (key == "bootstrap_port") {
    uint16_t port = 0;
    if (IsNull(value)) {
      fields->ports.emplace_back();
    } else if (ReadPort(value, &port)) {
      fields->ports.emplace_back(port);
    } else {
      return kBadPort;
    }
  } else {
    // All 64 bits: a room that went through a double is another room.
    uint64_t room = 0;
    if (value.get_uint64().get(room)) return "a valid integer";
    fields->rooms.push_back(room);
  }
  return "";
}

}  // namespace

std::string_view ReadNixlParams(od::value& value, NixlParams* params) {
  if (IsNull(value)) return "";
  od::object object;
  if (value.get_object().get(object)) return "a valid dictionary";
  for (auto field : object) {
    std::string_view key;
    od::value member;
    if (field.unescaped_key().get(key) || field.value().get(member)) return "a valid dictionary";
    if (IsNull(member)) continue;
    const std::string_view wanted = ReadNixlMember(key, member, params);
    if (!wanted.empty()) return wanted;
  }
  return "";
}

bool IsBootstrapMember(std::string_view key) {
  return key == "bootstrap_host" || key == "bootstrap_port" || key == "bootstrap_room";
}

std::string_view ReadBootstrapMember(std::string_view key, od::value& value,
                                     BootstrapFields* fields) {
  od::json_type type;
  if (value.type().get(type)) return "valid JSON";
  if (type != od::json_type::array) {
    // A port of null stands for the default one; the others are absent then.
    if (key != "bootstrap_port" && IsNull(value)) return "";
    return ReadBootstrapValue(key, value, fields);
  }
  od::array list;
  if (value.get_array().get(list)) return "valid JSON";
  for (auto element : list) {
    od::value item;
    if (element.get(item)) return "valid JSON";
    const std::string_view wanted = ReadBootstrapValue(key, item, fields);
    if (!wanted.empty()) return wanted;
  }
  return "";
}

}  // namespace gw::sim::internal
