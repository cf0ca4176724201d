// `penstock top`: a running gateway in a terminal, live: endpoints, rates, percentiles, what
// queues.

#pragma once

#include <ostream>

#include "base/clock.h"
#include "cli/admin_flags.h"

namespace gw {

struct TopFlags {
  AdminFlags admin = {};
  bool once = false;   // one screen of text, then the end
  bool plain = false;  // lines, on a terminal too
  int interval_s = 5;  // between plain lines
};

// Until it is told to end (q, Ctrl-C, SIGTERM): 0. 1 with a message on `err` if nothing answers at
// the start, or what answers is no gateway. A gateway that goes away is waited for.
int RunTop(const TopFlags& flags, std::ostream& out, std::ostream& err);

}  // namespace gw
