// TicketKeys: the keys that session tickets are encrypted with (RFC 5077, RFC 8446 4.6.1). One for
// the process, so that a client resumes at any worker, on any listener of the same identity, and
// after a reload. A key writes tickets for `period`, and reads them for twice as long again; older
// ones are forgotten, and with them what they would open (forward secrecy of resumed sessions).

#pragma once

#include <cstdint>
#include <memory>

#include "base/clock.h"

struct ssl_ctx_st;

namespace gw {

class TicketKeys {
 public:
  // `clock` outlives it. Thread-safe.
  static std::unique_ptr<TicketKeys> New(const Clock& clock,
                                         Duration period = std::chrono::hours(8));
  virtual ~TicketKeys() = default;
  // Makes the context use these keys; they outlive it.
  virtual void UseIn(ssl_ctx_st* context) = 0;
};

}  // namespace gw
