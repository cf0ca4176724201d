// What several gateways side by side cost, as the table of docs/performance.md. Takes no arguments,
// and says the same each time.

#include <algorithm>
#include <iostream>
#include <vector>

#include "bench/side_by_side.h"
#include "fmt/format.h"
#include "sim/engine/server_spec.h"

namespace gw::bench {
namespace {

struct Case {
  const char* name;
  std::vector<Conversation> (*make)(double per_second, Duration lasts, Random& random);
  double per_second;
  Duration warm_up;
  Duration lasts;
};

using std::chrono::seconds;
const Case kCases[] = {
    {"shared prefixes", SharedPrefixes, 5, seconds(100), seconds(200)},
    {"shared prefixes", SharedPrefixes, 10, seconds(100), seconds(200)},
    {"chats", Chats, 10, seconds(150), seconds(250)},
    {"chats", Chats, 20, seconds(150), seconds(250)},
};
constexpr uint64_t kSeeds[] = {1, 2, 3};

// All of its seeds as one run.
Measured RunCase(const Case& which, RoutingStrategy strategy, int gateways) {
  Measured all;
  for (const uint64_t seed : kSeeds) {
    Random random(seed);
    const std::vector<Conversation> conversations =
        which.make(which.per_second, which.lasts, random);
    const Measured one = RunSideBySide({.replica = *sim::FindServerSpec("q32h100"),
                                        .gateways = gateways,
                                        .strategy = strategy,
                                        .warm_up = which.warm_up,
                                        .seed = seed},
                                       conversations);
    all.ttfts.insert(all.ttfts.end(), one.ttfts.begin(), one.ttfts.end());
    all.prompt_tokens += one.prompt_tokens;
    all.cached_tokens += one.cached_tokens;
  }
  return all;
}

double Millis(const std::vector<Duration>& ascending, double share) {
  const auto at = static_cast<size_t>(share * static_cast<double>(ascending.size() - 1));
  return ToMillis(ascending[at]);
}

void PrintTable() {
  std::cout
      << "| workload | requests/s | strategy | gateways | TTFT p50 / p90 / p99 ms | prompt tokens "
         "found in a cache |\n|---|---|---|---|---|---|\n";
  for (const Case& which : kCases) {
    for (const RoutingStrategy strategy :
         {RoutingStrategy::kPrefixCache, RoutingStrategy::kDefault}) {
      for (const int gateways : {1, 2, 4}) {
        Measured run = RunCase(which, strategy, gateways);
        std::sort(run.ttfts.begin(), run.ttfts.end());
        std::cout << fmt::format("| {} | {} | `{}` | {} | {:.0f} / {:.0f} / {:.0f} | {:.1f} % |",
                                 which.name, which.per_second,
                                 strategy == RoutingStrategy::kDefault ? "DEFAULT" : "PREFIX_CACHE",
                                 gateways, Millis(run.ttfts, 0.5), Millis(run.ttfts, 0.9),
                                 Millis(run.ttfts, 0.99),
                                 100.0 * static_cast<double>(run.cached_tokens) /
                                     static_cast<double>(run.prompt_tokens))
                  << "\n"
                  << std::flush;
      }
    }
  }
}

}  // namespace
}  // namespace gw::bench

int main() {
  gw::bench::PrintTable();
  return 0;
}
