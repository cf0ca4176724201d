// CorsPolicy: which web pages may read a route's answers (the CORS filter of the Gateway API, by
// the Fetch standard). A preflight is answered by the gateway. Where there is a policy it alone
// decides: what an endpoint says in Access-Control-* fields is taken out.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/head.h"

namespace gw {

struct CorsPolicy {
  // A pattern: "*" in the host stands for any characters, dots as well.
  struct Origin {
    std::string scheme;  // in lower case, as the host
    std::string host;
    uint16_t port = 0;  // the scheme's own if none was given; 0: the scheme has none
  };
  bool any_origin = false;
  std::vector<Origin> origins;
  bool allow_credentials = false;
  bool any_method = false;  // with them the preflight's own words are repeated
  bool any_header = false;
  std::string methods;  // as they are written in a field; empty: no such field
  std::string headers;
  std::string expose_headers;
  std::string max_age;

  // "https://*.example.com:8443" or "*" becomes one of the origins.
  void AddOrigin(std::string_view pattern);
  bool Allows(std::string_view origin) const;
};

// OPTIONS with Origin and Access-Control-Request-Method.
bool IsPreflight(const http::RequestHead& request);

// Takes Access-Control-* fields out and adds the policy's to an answer, or to that to a preflight.
// What is added are views of the policy and of the request.
void SetCorsFields(const CorsPolicy& policy, const http::RequestHead& request, bool preflight,
                   std::vector<http::HeaderField>* fields);

}  // namespace gw
