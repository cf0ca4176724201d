// For tests of workloads: a server in virtual time, which answers each Ask as a function says.

#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "bench/load/load_workload.h"

namespace gw::bench {

struct Asked {
  Ask ask;
  Answer answer;
  Duration ended{};
};

struct VirtualAnswer {
  Duration after{};
  Answer answer = {.end = AnswerEnd::kComplete};
};

// Until the workload is done and all is answered. In the order in which they were asked. Gives up
// after `asks_max`.
inline std::vector<Asked> AnswerAll(LoadWorkload& workload,
                                    const std::function<VirtualAnswer(const Ask&)>& answer,
                                    size_t asks_max = 1'000'000) {
  std::vector<Asked> asked;
  std::multimap<Duration, size_t> in_flight;
  Duration now{};
  while (asked.size() < asks_max) {
    const std::optional<Duration> due = workload.due();
    if (in_flight.empty() && !due) break;
    if (due && (in_flight.empty() || *due < in_flight.begin()->first)) {
      now = std::max(now, *due);
      Ask ask = workload.Take();
      EXPECT_EQ(ask.due, *due);
      VirtualAnswer said = answer(ask);
      in_flight.emplace(now + said.after, asked.size());
      asked.push_back({std::move(ask), std::move(said.answer), now + said.after});
      continue;
    }
    const Asked& ended = asked[in_flight.begin()->second];
    in_flight.erase(in_flight.begin());
    now = ended.ended;
    workload.OnAnswer(ended.ask, ended.answer, now);
  }
  EXPECT_TRUE(workload.done());
  EXPECT_FALSE(workload.due().has_value());
  return asked;
}

inline std::function<VirtualAnswer(const Ask&)> AnswersAfter(Duration after) {
  return [after](const Ask&) { return VirtualAnswer{.after = after}; };
}

}  // namespace gw::bench
