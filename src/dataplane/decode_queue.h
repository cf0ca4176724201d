// DecodeQueue: decodes the request bodies of one worker that came with a content coding. A small
// body is decoded at once; of larger ones a slice in each turn of the loop, one body after the
// other, so that neither time nor the decoders' windows add up.

#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/body_buffer.h"
#include "dataplane/held_bytes.h"
#include "dataplane/options.h"
#include "http/content_decoder.h"
#include "net/event_loop.h"

namespace gw {

class DecodeQueue;

// One body. Destroying it abandons the work.
class CodedBody {
 public:
  using Outcome = http::ContentDecoder::Outcome;
  // Everything referred to outlives it. What is decoded counts among the `held` bytes as it grows.
  CodedBody(DecodeQueue& queue, HeldBytes& held, std::span<const http::ContentCoding> codings,
            std::string_view coded, SpareBodies* spare = nullptr);
  ~CodedBody();

  // The outcome, or kMore: then `done` is called with it, from the loop; it may destroy this.
  // kTooLarge with over_budget(): there was no more room among the held bytes.
  Outcome Start(std::function<void(Outcome)> done);
  bool over_budget() const { return over_budget_; }
  // The whole body, from here on the caller's, who counts it.
  BodyBuffer Take();

 private:
  friend class DecodeQueue;
  Outcome Slice();
  void Forget();

  DecodeQueue& queue_;
  const std::span<const http::ContentCoding> codings_;
  const std::string_view coded_;
  std::string_view rest_;
  std::optional<http::ContentDecoder> decoder_;  // while it is its turn
  BodyBuffer decoded_;
  HeldBytes::Share share_;
  bool over_budget_ = false;
  std::function<void(Outcome)> done_;
};

class DecodeQueue {
 public:
  DecodeQueue(EventLoop& loop, const DataplaneOptions& options);

 private:
  friend class CodedBody;
  void Add(CodedBody* body);
  void Remove(CodedBody* body);
  void OnTurn();

  const DataplaneOptions& options_;
  std::deque<CodedBody*> waiting_;  // the first one is in work
  std::vector<char> slice_;
  Timer turn_;
};

}  // namespace gw
