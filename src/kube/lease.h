// Lease: which of several gateways does what only one may do, by a coordination.k8s.io/v1 Lease.
// The rules are those of client-go's leaderelection, so that its candidates and ours get on:
//
//   nobody's, or its time is up -> taken, by a PUT that names the version that was read
//   not there                   -> created
//   somebody else's             -> looked at again after 2 s and up to 1.2 times more
//   ours                        -> renewed every 2 s
//
// Clocks of different machines are not compared: the time of another's lease is up when its record
// has been the same for its duration by our own clock. Our own we have from when the last PUT that
// was confirmed was *sent*, for renew_deadline, which is shorter: we have stopped before anybody
// may begin. An attempt without an answer is given up after half the renew_deadline, and counts as
// none whatever came of it; the next one reads what is there.
//
// As with client-go, this is no fence: a holder whose machine stood still for longer than the
// lease's duration may send one more request when it goes on. What is written has to be guarded by
// a resourceVersion for that, as StatusWriter does. Whoever deletes the Lease object ends the
// promise, too.
//
// On the loop's thread, all of it. Give it an ApiClient of its own if the other one is busy:
// behind a queue of requests a renewal comes too late.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/random.h"
#include "kube/api_client.h"
#include "kube/lease_record.h"
#include "kube/resource.h"

namespace gw::kube {

struct LeaseOptions {
  std::string ns;
  std::string name;
  std::string identity;                          // no other candidate has it, and it is not empty
  Duration duration = std::chrono::seconds(15);  // whole seconds
  Duration renew_deadline = std::chrono::seconds(10);  // less than `duration`
  Duration retry_period = std::chrono::seconds(2);     // less than half of `renew_deadline`
  double retry_jitter = 1.2;  // of the retry_period, of who does not hold it
};

// Since the beginning.
struct LeaseCounts {
  uint64_t gains = 0;
  uint64_t losses = 0;    // a Release is none
  uint64_t renewals = 0;  // confirmed
  uint64_t failures = 0;  // attempts that came to nothing, but for finding another holder
};

class Lease {
 public:
  // Begins in the next round of the loop. `client` outlives it. `on_change` is called when we
  // become the holder (true) and when we cease to be (false), from answers and timers, and from
  // Release; it must not destroy the Lease. Random: of its own, by a seed that is passed in.
  Lease(ApiClient& client, LeaseOptions options, Random random,
        std::function<void(bool held)> on_change);

  bool held() const { return held_; }
  // Who has it, as far as was read; empty: nobody.
  const std::string& holder() const { return record_.holder; }
  const LeaseCounts& counts() const { return counts_; }

  // For good: gives the lease up, so that others need not wait for its time, and takes it no more.
  // on_change(false) comes at once if we hold it. `done` is called in a later round, with whether
  // the lease is known not to be ours; within renew_deadline. The Lease may be
  // destroyed before that. REQUIRES: not called before
  void Release(std::function<void(bool released)> done);

 private:
  using OnAnswer = void (Lease::*)(const ApiAnswer&);

  void Send(ApiRequest request, OnAnswer on_answer);
  void OnTimeout();
  void Again();
  void Fail(const std::string& why);
  void Try();
  void Read();
  void OnRead(const ApiAnswer& answer);
  void OnAbsent();
  void Observe(api::Node lease, std::string version);
  bool OthersTimeIsUp() const;
  void Take();
  void Create();
  LeaseRecord OwnRecord() const;
  void OnTaken(const ApiAnswer& answer);
  void OnReleased(const ApiAnswer& answer);
  void EndRelease(bool released);
  void Gain();
  void Lose(const std::string& why);

  ApiClient& client_;
  EventLoop& loop_;
  const LeaseOptions options_;
  const Resource resource_;
  Random random_;
  const std::function<void(bool)> on_change_;

  bool held_ = false;
  bool may_be_ours_ = false;  // a PUT or POST was sent once
  TimePoint sent_{};          // the attempt under way
  api::Node lease_;           // as it was read last; null if it is not there
  std::string version_;       // its resourceVersion; empty: to be read again before the next PUT
  LeaseRecord record_;        // what is in it
  TimePoint observed_{};      // when that record was seen first
  std::string error_;         // of the last attempt, if it failed; it was logged
  std::function<void(bool)> released_;
  bool releasing_ = false;
  TimePoint release_end_{};
  LeaseCounts counts_;
  std::unique_ptr<ApiCall> call_;
  Timer retry_;
  Timer timeout_;   // of the attempt under way
  Timer deadline_;  // of the lease, while it is held
};

}  // namespace gw::kube
