// What may be set about the way of a request.

#pragma once

#include <cstddef>

namespace gw {

struct ExchangeOptions {
  // Of JSON in a request's body that is read: 400. At most kJsonDepthMax, where Python's json ends
  // too, which reads it at the model server.
  size_t json_depth_max = 128;
  // What requests that have ended needed, kept by a worker for those to come: freed.
  size_t spare_requests_max = 1024;
};
inline constexpr size_t kJsonDepthMax = 1000;

}  // namespace gw
