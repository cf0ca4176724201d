// Asked: who asks for what, as the head of a request says.

#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/head.h"
#include "http/url.h"

namespace gw {

// Who asks, as the connection says. The views are the connection's.
struct ClientIdentity {
  ClientIdentity(const char* address) : ip(address) {}
  ClientIdentity(std::string_view address) : ip(address) {}

  std::string_view ip;
  bool tls = false;
  std::string_view server_name = {};  // that it asked for (SNI); empty: none
  // Of its certificate, if that leads to an authority that its listener names; empty: none.
  std::string_view subject = {};      // RFC 2253
  std::string_view fingerprint = {};  // SHA-256, hexadecimal
};

struct Asked {
  const http::RequestHead* head = nullptr;  // the front end's, valid until the request has ended
  http::Target target;
  std::string request_id;
  std::string client_ip;
  bool tls = false;
  std::string server_name;     // SNI
  std::string client_subject;  // of its certificate
  // Addresses, comma-separated, that a test lets the request go to; empty: any.
  std::string_view selection;
  TimePoint began;
};

}  // namespace gw
