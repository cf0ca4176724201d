#include "dns/name_cache.h"

#include <algorithm>
#include <utility>

namespace gw {

bool NameCache::SetWanted(const std::set<std::string>& names, TimePoint now) {
  const size_t gone =
      std::erase_if(states_, [&](const auto& entry) { return !names.contains(entry.first); });
  std::erase_if(table_, [&](const auto& entry) { return !names.contains(entry.first); });
  bool came = false;
  for (const std::string& name : names) {
    if (!states_.try_emplace(name, State{.due = now}).second) continue;
    table_.emplace(name, ResolvedName());
    came = true;
  }
  return came || gone > 0;
}

std::optional<std::string> NameCache::TakeDue(TimePoint now) {
  for (auto& [name, state] : states_) {
    if (state.under_way || state.due > now) continue;
    state.under_way = true;
    return name;
  }
  return std::nullopt;
}

std::optional<TimePoint> NameCache::NextDue() const {
  std::optional<TimePoint> next;
  for (const auto& [name, state] : states_) {
    if (!state.under_way && (!next || state.due < *next)) next = state.due;
  }
  return next;
}

Duration NameCache::PauseAfter(int failures) const {
  Duration pause = options_.retry_min;
  for (int i = 1; i < failures && pause < options_.retry_max; ++i) pause *= 2;
  return std::min(pause, options_.retry_max);
}

bool NameCache::OnAnswer(const std::string& name, NameAnswer answer, TimePoint now) {
  const auto found = states_.find(name);
  if (found == states_.end()) return false;
  State& state = found->second;
  state.under_way = false;
  ResolvedName now_known = table_[name];
  now_known.asked = true;
  now_known.error = std::move(answer.error);
  if (answer.kind == NameAnswer::Kind::kFound) {
    state.failures = 0;
    state.due = now + std::clamp(answer.lifetime, options_.lifetime_min, options_.lifetime_max);
    std::sort(answer.ips.begin(), answer.ips.end());
    answer.ips.erase(std::unique(answer.ips.begin(), answer.ips.end()), answer.ips.end());
    if (answer.ips.size() > options_.ips_max) answer.ips.resize(options_.ips_max);
    now_known.ips = std::move(answer.ips);
  } else {
    state.due = now + PauseAfter(++state.failures);
    if (answer.kind == NameAnswer::Kind::kNoSuchName) now_known.ips.clear();
  }
  if (table_[name] == now_known) return false;
  table_[name] = std::move(now_known);
  return true;
}

bool NameCache::all_asked() const {
  return std::all_of(table_.begin(), table_.end(),
                     [](const auto& entry) { return entry.second.asked; });
}

}  // namespace gw
