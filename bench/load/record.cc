#include "bench/load/record.h"

#include <algorithm>

namespace gw::bench {

Duration Record::tpot() const {
  if (output_tokens < 2 || !has_output()) return {};
  return (ended - first) / (output_tokens - 1);
}

// A run has few groups: looked up one by one they cost less than a map of pairs.
uint16_t RunRecords::GroupOf(RecordGroup wanted) {
  const RecordGroup other{std::string(kOther), ""};
  auto found = std::ranges::find(groups, wanted);
  if (found == groups.end() && groups.size() >= kGroupsMax) {
    wanted = other;
    found = std::ranges::find(groups, wanted);
  }
  if (found == groups.end()) found = groups.insert(groups.end(), std::move(wanted));
  return static_cast<uint16_t>(found - groups.begin());
}

void RunRecords::Add(const Ask& ask, const Answer& answer) {
  if (!ask.counts) {
    ++warm_up;
    return;
  }
  Record record{.due = ask.due,
                .sent = answer.sent,
                .first = answer.first,
                .last = answer.last,
                .ended = answer.ended,
                .gap_max = answer.gap_max,
                .held = answer.held,
                .events = answer.events,
                .prompt_tokens = answer.prompt_tokens,
                .output_tokens = answer.output_tokens,
                .cached_tokens = answer.cached_tokens,
                .end = answer.end,
                .status = answer.status,
                .group = GroupOf({ask.tenant, ask.priority}),
                .turn = ask.turn};
  if (record.prompt_tokens < 0 && ask.prompt_tokens > 0) record.prompt_tokens = ask.prompt_tokens;
  if (record.output_tokens < 0) record.output_tokens = record.events;
  if (!ask.session.empty()) {
    const auto next = static_cast<uint32_t>(sessions.size() + 1);
    record.session = sessions.try_emplace(ask.session, next).first->second;
  }
  if (answer.sent != Duration(0)) lateness.Add(answer.sent - ask.due - answer.held);
  if (!record.ok()) {
    std::string error = answer.error.empty() ? std::string(NameOf(answer.end)) : answer.error;
    if (errors.size() >= kErrorsMax && !errors.contains(error)) error = kOther;
    ++errors[std::move(error)];
  }
  length = std::max(length, answer.ended);
  records.push_back(record);
}

void RunRecords::Append(const RunRecords& next) {
  const auto sessions_before = static_cast<uint32_t>(sessions.size());
  for (Record record : next.records) {
    record.group = GroupOf(next.groups[record.group]);
    if (record.session != 0) record.session += sessions_before;
    record.due += length;
    record.ended += length;
    // Zero says that there was none.
    for (Duration* time : {&record.sent, &record.first, &record.last}) {
      if (*time != Duration(0)) *time += length;
    }
    records.push_back(record);
  }
  // Their names may be those of earlier sessions, which have ended.
  for (const auto& [name, number] : next.sessions) {
    sessions.emplace(std::to_string(sessions_before) + "/" + name, sessions_before + number);
  }
  for (const auto& [error, times] : next.errors) {
    const bool known = errors.size() < kErrorsMax || errors.contains(error);
    errors[known ? error : std::string(kOther)] += times;
  }
  gaps.Merge(next.gaps);
  lateness.Merge(next.lateness);
  length += next.length;
  warm_up += next.warm_up;
}

}  // namespace gw::bench
