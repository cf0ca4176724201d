// Result: what is kept of a run: input of every report, and what a file with a result is read into.

#pragma once

#include <string>
#include <vector>

#include "bench/load/fleet_series.h"
#include "bench/load/record.h"
#include "bench/load/summary.h"

namespace gw::bench {

struct Result {
  std::string tool = "penstock bench";
  std::string started = {};   // "2026-01-02T03:04:05Z", as all below: empty where it is unknown
  std::string command = {};   // as it was typed
  std::string target = {};    // the URL that was asked
  std::string workload = {};  // LoadWorkload::Describe()
  Objectives objectives = {};
  Summary summary = {};
  std::vector<Record> requests = {};       // empty where only figures were kept
  std::vector<RecordGroup> groups = {{}};  // what Record::group indexes
  FleetSeries fleet = {};  // of the gateway that was asked; empty where nobody looked
};

}  // namespace gw::bench
