// H1Request: what a client's connection needs from the first byte of a request until its answer is
// written, and has no use for between two requests: parser, driver with its Exchange, and their
// buffers. SpareH1Requests keeps them for the requests to come, of whatever client: the one that
// was used last first, as its memory is still in the cache.
//
// Of one worker, on its thread. What is kept is bounded (spare_requests).

#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "dataplane/request_driver.h"
#include "http/h1_parser.h"

namespace gw {

struct H1Request {
  H1Request(ProxyWorker& worker, const http::HeadLimits& limits) : parser(limits), driver(worker) {}

  http::RequestParser parser;
  RequestDriver driver;
  std::string response_head;  // held until the first byte that follows it
};

class SpareH1Requests {
 public:
  // `on_full`: one is freed as `kept_max` are kept.
  SpareH1Requests(size_t kept_max, std::function<void()> on_full)
      : kept_max_(std::max<size_t>(kept_max, 1)), on_full_(std::move(on_full)) {}

  std::unique_ptr<H1Request> Take(ProxyWorker& worker, const http::HeadLimits& limits) {
    if (kept_.empty()) return std::make_unique<H1Request>(worker, limits);
    std::unique_ptr<H1Request> request = std::move(kept_.back());
    kept_.pop_back();
    return request;
  }

  // May be called by the request's own driver: the one that is freed is another.
  // REQUIRES: !request->driver.active()
  void Keep(std::unique_ptr<H1Request> request) {
    request->parser.Reset();
    request->driver.ClearForIdle();
    ClearForIdle(&request->response_head);
    kept_.push_back(std::move(request));
    if (kept_.size() <= kept_max_) return;
    kept_.pop_front();
    on_full_();
  }

 private:
  const size_t kept_max_;
  const std::function<void()> on_full_;
  std::deque<std::unique_ptr<H1Request>> kept_;  // the one used last at the end
};

}  // namespace gw
