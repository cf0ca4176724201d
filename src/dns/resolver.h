// Resolver: keeps the addresses of names up to date, on a thread of its own: no worker ever waits
// for a DNS. Names are whole: nothing of a search list is put behind them. /etc/hosts comes first.
// c-ares asks the servers; /etc/resolv.conf is read for each question, so that it may change.

#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "dns/name_cache.h"
#include "dns/name_table.h"
#include "stats/metrics.h"

namespace gw {

struct ResolverOptions {
  std::string servers = {};                        // "10.0.0.10:53"; empty: the machine's
  Duration try_timeout = std::chrono::seconds(2);  // of one question to one server
  int tries = 3;                                   // of each server
  size_t lookups_max = 32;  // limit dns_lookups: names that are asked for at once
  NameCacheOptions cache = {};
};

// Whether ResolverOptions::servers may be that; the error says what was wanted.
absl::Status CheckDnsServers(const std::string& servers);

class Resolver {
 public:
  // The table is another: on the resolver's thread, without a lock held.
  using OnChange = std::function<void()>;

  // Adds metrics penstock_dns_lookups_total. What it refers to outlives it.
  static absl::StatusOr<std::unique_ptr<Resolver>> Start(ResolverOptions options,
                                                         MetricRegistry& metrics,
                                                         OnChange on_change);
  // Its thread has ended when this returns.
  virtual ~Resolver() = default;

  // Any thread, all of these. These names, and no others; in lower case.
  virtual void SetWanted(std::set<std::string> names) = 0;
  virtual std::shared_ptr<const NameTable> table() const = 0;
  // Until the first answers for all wanted names have come, or the time is over.
  virtual void WaitForAll(Duration most) = 0;
};

}  // namespace gw
