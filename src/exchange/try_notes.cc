#include "exchange/try_notes.h"

#include <algorithm>

namespace gw {

void TryNotes::Reset() {
  count_ = 0;
  responded_ = {};
}

void TryNotes::Dispatch(const Decision& decision, const Endpoint* prefill, TimePoint now) {
  count_ = std::min(count_ + 1, RequestRecord::kTriesMax);
  notes_[count_ - 1] = {.endpoint = decision.endpoint,
                        .prefill = prefill,
                        .score = decision.score,
                        .in_flight_requests = decision.in_flight_requests,
                        .began = now,
                        .ended = {},
                        .reason = {},
                        .detail = {}};
}

void TryNotes::SetSpans(SpanId span, SpanId prefill) {
  if (count_ == 0) return;
  notes_[count_ - 1].span = span;
  notes_[count_ - 1].prefill_span = prefill;
}

void TryNotes::PrefillEnded(TimePoint now) {
  if (count_ > 0) notes_[count_ - 1].prefill_ended = now;
}

void TryNotes::DecodeBegan(TimePoint now) {
  if (count_ > 0) notes_[count_ - 1].decode_began = now;
}

void TryNotes::PrefillFailed() {
  if (count_ > 0) notes_[count_ - 1].prefill_failed = true;
}

void TryNotes::Again(TimePoint now) {
  if (count_ == 0) return;
  const Note last = notes_[count_ - 1];
  count_ = std::min(count_ + 1, RequestRecord::kTriesMax);
  notes_[count_ - 1] = last;
  notes_[count_ - 1].began = now;
  notes_[count_ - 1].reason = {};
  notes_[count_ - 1].detail = {};
}

void TryNotes::Fail(std::string_view reason, TimePoint now, std::string_view detail) {
  if (count_ == 0 || !notes_[count_ - 1].reason.empty()) return;
  notes_[count_ - 1].reason = reason;
  notes_[count_ - 1].detail = detail;
  notes_[count_ - 1].ended = now;
  responded_ = {};
}

void TryNotes::Fill(TimePoint began, TimePoint now, RequestRecord* record) const {
  record->response_ms = responded_ == TimePoint() ? -1 : ToMillis(responded_ - began);
  record->try_count = count_;
  for (size_t i = 0; i < count_; ++i) {
    const Note& note = notes_[i];
    RequestRecord::Try& told = record->all_tries[i];
    told.endpoint_name = note.endpoint->name;
    told.endpoint = note.endpoint->address;
    told.prefill_name.assign(note.prefill != nullptr ? std::string_view(note.prefill->name) : "");
    told.score = note.score;
    told.in_flight_requests = note.in_flight_requests;
    told.reason = note.reason;
    told.detail = note.detail;
    const TimePoint ended = note.reason.empty() ? now : note.ended;
    told.began_ms = ToMillis(note.began - began);
    told.took_ms = ToMillis(ended - note.began);
    told.span = note.span;
    told.prefill_span = note.prefill_span;
    told.prefill_endpoint.assign(note.prefill != nullptr ? std::string_view(note.prefill->address)
                                                         : "");
    const bool whole = note.prefill_span == 0;
    const TimePoint decode_began = whole ? note.began : note.decode_began;
    told.decode_began_ms = decode_began == TimePoint() ? -1 : ToMillis(decode_began - began);
    told.prefill_ended_ms =
        ToMillis((note.prefill_ended == TimePoint() ? ended : note.prefill_ended) - began);
    told.prefill_failed = note.prefill_failed;
  }
}

}  // namespace gw
