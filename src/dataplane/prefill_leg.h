// PrefillLeg: the prefill half of a disaggregated request on its way to its endpoint and back. The
// whole answer is collected if it is needed (bounded), and thrown away as it comes if not. What is
// not a success ends the pair, so little time is given to its body.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "dataplane/held_bytes.h"
#include "dataplane/upstream.h"
#include "exchange/pair.h"

namespace gw {

class PrefillObserver {
 public:
  virtual void OnPrefillEnd(HeldAnswer answer) = 0;
  virtual void OnPrefillFailed(TryFailure failure, bool sent_whole) = 0;
  virtual void OnPrefillLimit(std::string_view limit) = 0;

 protected:
  ~PrefillObserver() = default;
};

class PrefillLeg final : public UpstreamHandler {
 public:
  // `pool`, `held` and `observer` outlive the leg.
  PrefillLeg(UpstreamPool& pool, HeldBytes& held, PrefillObserver& observer)
      : pool_(pool),
        observer_(observer),
        share_(held),
        error_timer_(pool.loop(), [this] { OnErrorTimeout(); }) {}
  ~PrefillLeg() { Cancel(); }

  // The head to send is written here first.
  std::string* head() { return &head_; }
  // `parts` stay valid until the leg has ended. `keep_success`: a 200 is wanted with its body.
  void Send(const std::string& address, std::span<const std::string_view> parts, bool keep_success,
            Reuse reuse);
  // Ends it by closing its connection; the observer hears nothing.
  void Cancel();
  // Between requests. REQUIRES: !active()
  void ClearForIdle();
  bool active() const { return connection_ != nullptr; }

  void OnUpstreamHead(const http::ResponseHead& head) override;
  void OnUpstreamBody(std::string_view piece) override;
  void OnUpstreamFlush() override {}
  void OnUpstreamEnd() override;
  void OnUpstreamFailed(TryFailure failure, bool sent_whole) override;

 private:
  void OnErrorTimeout();

  UpstreamPool& pool_;
  PrefillObserver& observer_;
  UpstreamConnection* connection_ = nullptr;
  std::string head_;
  HeldAnswer answer_;
  HeldBytes::Share share_;
  bool keep_success_ = false;
  bool keep_ = false;
  std::string_view limit_;  // that the answer has reached; empty: none
  Timer error_timer_;
};

}  // namespace gw
