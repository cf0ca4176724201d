// PrefillLeg: the prefill half of a disaggregated request on its way to its endpoint and back. The
// whole answer is collected if it is needed (bounded), and thrown away as it comes if not. What is
// not a success ends the pair, so little time is given to its body.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "client/pool.h"
#include "dataplane/held_bytes.h"
#include "dataplane/options.h"
#include "exchange/pair.h"

namespace gw {

class PrefillObserver {
 public:
  virtual void OnPrefillEnd(HeldAnswer answer) = 0;
  virtual void OnPrefillFailed(TryFailure failure, const ClientError& error) = 0;
  virtual void OnPrefillLimit(std::string_view limit) = 0;

 protected:
  ~PrefillObserver() = default;
};

class PrefillLeg final : public ResponseHandler {
 public:
  // Everything referred to outlives the leg.
  PrefillLeg(ClientPool& pool, const DataplaneOptions& options, HeldBytes& held,
             PrefillObserver& observer)
      : pool_(pool),
        options_(options),
        observer_(observer),
        share_(held),
        error_timer_(pool.loop(), [this] { OnErrorTimeout(); }) {}
  ~PrefillLeg() { Cancel(); }

  // The parts of `request` stay valid until the leg has ended. `keep_success`: a 200 is wanted with
  // its body.
  void Send(const ClientTarget& target, const ClientRequest& request, bool keep_success,
            Reuse reuse);
  // Ends it by closing its connection; the observer hears nothing.
  void Cancel();
  // Between requests. REQUIRES: !active()
  void ClearForIdle();
  bool active() const { return call_ != nullptr; }

  void OnResponseHead(const http::ResponseHead& head) override;
  void OnResponseBody(std::string_view piece) override;
  void OnResponseEnd() override;
  void OnResponseFailed(const ClientError& error) override;

 private:
  void OnErrorTimeout();

  ClientPool& pool_;
  const DataplaneOptions& options_;
  PrefillObserver& observer_;
  ClientCall* call_ = nullptr;
  HeldAnswer answer_;
  HeldBytes::Share share_;
  bool keep_success_ = false;
  bool keep_ = false;
  std::string_view limit_;  // that the answer has reached; empty: none
  Timer error_timer_;
};

}  // namespace gw
