// Asked: who asks for what, as the head of a request says.

#pragma once

#include <string>

#include "base/clock.h"
#include "http/head.h"
#include "http/url.h"

namespace gw {

struct Asked {
  const http::RequestHead* head = nullptr;  // the front end's, valid until the request has ended
  http::Target target;
  std::string request_id;
  std::string client_ip;
  TimePoint began;
};

}  // namespace gw
