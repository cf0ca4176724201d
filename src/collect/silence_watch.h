// SilenceWatch: notices endpoints that take connections and answer nothing, while others answer.
// Pure; time is passed in. What it finds stands in EndpointState::silence: decisions avoid such an
// endpoint while others are there, and people see it.
//
//   metrics    silent_scrapes scrapes in a row got no answer (a timeout, a connection that closed),
//              while some endpoint's page was read after the first of them. Over with the next
//              page.
//   requests   some request has awaited its first byte all along, none has come from this endpoint
//              for longer than  max(silent_after, silent_peer_factor * the longest first byte of a
//              peer in the last minutes)  and a peer's has come meanwhile. Peers are the endpoints
//              of its pool. Over with the next first byte.
//
// A first byte may well take minutes: a long prompt, a long queue, an answer that is not streamed.
// Then it takes as long at the peers, so their time is the measure, and a wrong guess costs little:
// the endpoint gets no new requests until it answers one that it has. Where none is left there, it
// gets one after silent_trial, and again after twice that time.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "collect/scrape_options.h"
#include "pool/endpoint.h"

namespace gw {

class SilenceWatch {
 public:
  struct Subject {
    std::shared_ptr<EndpointState> state;
    std::string pool_id;
    std::string name;  // for whoever is told
  };
  // `silence`: the bit of Silence that begins or, with `begins` false, ends.
  using Tell = std::function<void(const Subject& subject, uint8_t silence, bool begins)>;

  explicit SilenceWatch(const ScrapeOptions& options) : options_(options) {}

  // From now on. What is known of one that is watched already is kept.
  void Watch(Subject subject);
  // What is gone is no longer silent. Nothing if it is not watched.
  void Forget(const EndpointState* state);
  // Once a second or so.
  void Look(TimePoint now, const Tell& tell);

 private:
  static constexpr Duration kWindow = std::chrono::seconds(60);

  // Of one endpoint, from look to look.
  struct Watched {
    Subject subject;
    uint64_t first_bytes = 0;
    TimePoint quiet_since{};  // a request awaits, and no first byte has come
    TimePoint answered_at{};  // when a first byte was seen last
    Duration longest{0};      // first byte in this window, and in the one before
    Duration longest_before{0};
    int64_t page_before_ns = 0;  // the newest page of any endpoint as its scrapes began to fail
    TimePoint silent_at{};
    Duration trial{0};
  };
  // The two largest, so that each endpoint's own can be left out.
  struct Peers {
    Duration longest[2] = {};
    TimePoint answered_at[2] = {};
  };

  void Refresh(Watched& watched, TimePoint now, bool window_ends);
  void LookAtMetrics(Watched& watched, int64_t newest_page_ns, const Tell& tell);
  void LookAtRequests(Watched& watched, const Peers& peers, TimePoint now, const Tell& tell);
  static void Set(Watched& watched, uint8_t silence, TimePoint now);

  const ScrapeOptions& options_;
  std::unordered_map<const EndpointState*, Watched> watched_;
  TimePoint window_began_{};
};

}  // namespace gw
