// ObservedResponse: one response as the gateway reads it in passing, and what it takes out of it.

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "http/head.h"
#include "inference/request.h"
#include "inference/response.h"
#include "inference/stream_usage.h"

namespace gw {

class ObservedResponse {
 public:
  // Of an API that is not read only event streams are looked at: where one ends, and whether it is
  // cut in the middle of an event, shows in any of them.
  void Begin(const http::ResponseHead& head, ApiKind api);
  // From here on Filter takes out the usage that the client did not ask for. Nothing can be taken
  // out of what is no event stream, or a coded one. REQUIRES: Begin was called
  void FilterUsage(bool keep_null);
  void Feed(std::string_view body) {
    if (read_) reader_.Feed(body);
  }
  void Finish() {
    if (read_) reader_.Finish();
  }
  // There is none, or it is not the client's after all.
  void Drop();

  bool event_stream() const { return event_stream_; }
  // An event stream in plain text, so that events can be looked for and added.
  bool plain_stream() const { return event_stream_ && !coded_; }
  const ResponseReader& reader() const { return reader_; }
  // The stream's last event has come: what follows is none of the client's business.
  bool saw_last_event() const { return event_stream_ && reader_.saw_done(); }
  // Tokens of a stream whose server has reported none: its events that carried output. 0: none, or
  // they need no estimate.
  int64_t estimated_tokens() const;

  // The client gets another body than the one that comes.
  bool filtered() const { return filter_.active(); }
  // As UsageFilter::Filter. REQUIRES: filtered()
  size_t Filter(std::vector<std::string_view>* pieces, bool last) {
    return filter_.Filter(pieces, last);
  }
  // True if nothing of an unfinished event was passed on to the client.
  bool at_event_boundary() const {
    return filtered() ? filter_.at_event_boundary() : reader_.at_event_boundary();
  }

 private:
  ResponseReader reader_;
  UsageFilter filter_;
  bool event_stream_ = false;
  bool coded_ = false;  // "Content-Encoding: gzip" and the like: nothing shows
  bool read_ = false;
  bool counted_ = false;  // its tokens are
};

}  // namespace gw
