// TryNotes: what became of the tries of one request, for its record in the history. Nothing is
// allocated, but for the detail of a failure: endpoints are those of the Snapshot that the request
// pins.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "exchange/history.h"
#include "scheduling/profile.h"

namespace gw {

class TryNotes {
 public:
  void Reset();
  // The try under way is answered with a head.
  void Responded(TimePoint now) { responded_ = now; }
  // A try begins. `prefill`: of the other half's endpoint, or nullptr.
  void Dispatch(const Decision& decision, const Endpoint* prefill, TimePoint now);
  // The same once more, over a fresh connection.
  void Again(TimePoint now);
  // Of the try under way, where requests are traced. `prefill`: 0 if that half is not sent with it.
  void SetSpans(SpanId span, SpanId prefill);
  SpanId span() const { return count_ == 0 ? 0 : notes_[count_ - 1].span; }
  SpanId prefill_span() const { return count_ == 0 ? 0 : notes_[count_ - 1].prefill_span; }
  // Of a pair: the half is over, whatever came of it.
  void PrefillEnded(TimePoint now);
  // Of a pair whose halves are sent one after the other, or both.
  void DecodeBegan(TimePoint now);
  void PrefillFailed();  // of the pair that has failed it was that half
  // The try under way, if there is one, did not lead to the answer. `reason`: from the program's
  // text.
  void Fail(std::string_view reason, TimePoint now, std::string_view detail = {});
  // The request, which began at `began`, is over. The strings of `*record` keep their memory.
  void Fill(TimePoint began, TimePoint now, RequestRecord* record) const;

 private:
  struct Note {
    const Endpoint* endpoint;
    const Endpoint* prefill;
    float score;
    int32_t in_flight_requests;
    TimePoint began;
    TimePoint ended;
    std::string_view reason;  // empty: under way
    std::string detail;
    SpanId span = 0;
    SpanId prefill_span = 0;
    TimePoint decode_began{};  // of a pair
    TimePoint prefill_ended{};
    bool prefill_failed = false;
  };
  // Further ones take the place of the last.
  Note notes_[RequestRecord::kTriesMax];
  size_t count_ = 0;
  TimePoint responded_{};
};

}  // namespace gw
