#include "dataplane/decode_queue.h"

#include <algorithm>
#include <utility>

namespace gw {
namespace {

// Decoded in one turn of the loop, and calls of the decoder, since there are bytes of which little
// or nothing comes. Deflate and br, the slowest codings, take 2 to 3 ms for it.
constexpr size_t kTurnBytes = 256 * 1024;
constexpr int kTurnCalls = 4;

}  // namespace

CodedBody::CodedBody(DecodeQueue& queue, HeldBytes& held,
                     std::span<const http::ContentCoding> codings, std::string_view coded,
                     SpareBodies* spare)
    : queue_(queue),
      codings_(codings),
      coded_(coded),
      rest_(coded),
      decoded_(spare),
      share_(held) {}

CodedBody::~CodedBody() { queue_.Remove(this); }

CodedBody::Outcome CodedBody::Start(std::function<void(Outcome)> done) {
  const Outcome outcome = Slice();
  if (outcome != Outcome::kMore) return outcome;
  done_ = std::move(done);
  queue_.Add(this);
  return outcome;
}

CodedBody::Outcome CodedBody::Slice() {
  if (!decoder_) {
    const DataplaneOptions& options = queue_.options_;
    decoder_.emplace(codings_, http::ContentDecoder::Limits{options.request_body_bytes_max,
                                                            options.request_body_ratio_max});
  }
  const size_t before = decoded_.size();
  for (int call = 0; call < kTurnCalls && decoded_.size() - before < kTurnBytes; ++call) {
    size_t written = 0;
    const Outcome outcome = decoder_->Decode(&rest_, true, queue_.slice_, &written);
    over_budget_ = !share_.Grow(decoded_.size() + written);
    if (over_budget_) {
      decoder_.reset();
      return Outcome::kTooLarge;
    }
    decoded_.Append({queue_.slice_.data(), written});
    if (outcome == Outcome::kMore) continue;
    decoder_.reset();
    return outcome;
  }
  return Outcome::kMore;
}

// Begins anew when its turn comes: that costs the work of one slice, waiting with a decoder would
// cost megabytes.
void CodedBody::Forget() {
  decoder_.reset();
  decoded_.Free();
  share_.Set(0);
  rest_ = coded_;
}

BodyBuffer CodedBody::Take() {
  share_.Set(0);
  return std::move(decoded_);
}

DecodeQueue::DecodeQueue(EventLoop& loop, const DataplaneOptions& options)
    : options_(options), slice_(64 * 1024), turn_(loop, [this] { OnTurn(); }) {}

void DecodeQueue::Add(CodedBody* body) {
  if (!waiting_.empty()) body->Forget();
  waiting_.push_back(body);
  if (!turn_.active()) turn_.Start(Duration(0));
}

void DecodeQueue::Remove(CodedBody* body) {
  const auto it = std::find(waiting_.begin(), waiting_.end(), body);
  if (it != waiting_.end()) waiting_.erase(it);
}

void DecodeQueue::OnTurn() {
  if (waiting_.empty()) return;
  CodedBody* body = waiting_.front();
  const CodedBody::Outcome outcome = body->Slice();
  if (outcome != CodedBody::Outcome::kMore) waiting_.pop_front();
  if (!waiting_.empty()) turn_.Start(Duration(0));
  if (outcome == CodedBody::Outcome::kMore) return;
  const std::function<void(CodedBody::Outcome)> done = std::move(body->done_);
  done(outcome);
}

}  // namespace gw
