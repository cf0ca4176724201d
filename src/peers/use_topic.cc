#include "peers/use_topic.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "peers/varint.h"

namespace gw::peers {
namespace {

// Little enough for the sums of many, and for their thousandths.
constexpr int64_t kRequestsMax = int64_t{1} << 32;
constexpr int64_t kTokensMax = int64_t{1} << 48;
constexpr int64_t kLevelMax = kTokensMax * 1000;
constexpr uint64_t kOfRequests = 1;
constexpr uint64_t kOfTokens = 2;

void PutLevel(const std::optional<double>& level, std::string* out) {
  if (!level) return;
  const double thousandths = std::ceil(*level * 1000);
  const auto max = static_cast<double>(kLevelMax);
  PutSigned(static_cast<int64_t>(std::clamp(thousandths, -max, max)), out);
}

bool TakeLevel(std::string_view* bytes, std::optional<double>* level) {
  int64_t thousandths = 0;
  if (!TakeSigned(bytes, kLevelMax, &thousandths)) return false;
  *level = static_cast<double>(thousandths) / 1000;
  return true;
}

struct UseEntry {
  std::string_view tenant;
  RateUse use;
  RateLevels levels;
};

absl::Status TakeEntry(std::string_view* payload, UseEntry* entry) {
  uint64_t requests = 0;
  uint64_t levels = 0;
  if (!TakeText(payload, kNameMax, &entry->tenant)) {
    return absl::InvalidArgumentError("malformed use: tenant");
  }
  if (!TakeVarint(payload, kRequestsMax, &requests)) {
    return absl::InvalidArgumentError("malformed use: requests");
  }
  entry->use.requests = static_cast<int64_t>(requests);
  if (!TakeSigned(payload, kTokensMax, &entry->use.tokens)) {
    return absl::InvalidArgumentError("malformed use: tokens");
  }
  if (!TakeVarint(payload, kOfRequests | kOfTokens, &levels) ||
      ((levels & kOfRequests) != 0 && !TakeLevel(payload, &entry->levels.requests)) ||
      ((levels & kOfTokens) != 0 && !TakeLevel(payload, &entry->levels.tokens))) {
    return absl::InvalidArgumentError("malformed use: levels");
  }
  return absl::OkStatus();
}

}  // namespace

void UseTopic::Tell(TimePoint now, bool whole, MessageWriter* out) {
  const bool was_alone = now - std::exchange(told_at_, now) > kGatheredMax;
  if (whole || meters_.made() != made_) Refresh();
  if (whole) {
    for (Row& row : rows_) row.tells_levels = true;
  }
  if (was_alone) {
    for (Row& row : rows_) row.of.meter->TakeUse(now);
  }
  size_t left = tenants_max_;
  for (size_t i = 0; i < rows_.size(); ++i) {
    const size_t at = (next_ + i) % rows_.size();
    if (left == 0) {
      next_ = at;
      limit_.Add();
      return;
    }
    if (TellRow(rows_[at], now, out)) --left;
  }
}

// False: there is nothing to tell of it.
bool UseTopic::TellRow(Row& row, TimePoint now, MessageWriter* out) {
  const bool tells_levels = std::exchange(row.tells_levels, false);
  RateLevels levels;
  const RateUse use = row.of.meter->TakeUse(now, tells_levels ? &levels : nullptr);
  if (use == RateUse() && !tells_levels) return false;
  std::string entry;
  PutText(row.of.tenant, &entry);
  PutVarint(static_cast<uint64_t>(std::min(use.requests, kRequestsMax)), &entry);
  PutSigned(std::clamp(use.tokens, -kTokensMax, kTokensMax), &entry);
  PutVarint((levels.requests ? kOfRequests : 0) | (levels.tokens ? kOfTokens : 0), &entry);
  PutLevel(levels.requests, &entry);
  PutLevel(levels.tokens, &entry);
  out->Entry(kKind, entry);
  return true;
}

// Those that are there, and no others: what was due of the rows before is due of theirs.
void UseTopic::Refresh() {
  made_ = meters_.made();
  std::vector<Row> before = std::exchange(rows_, {});
  auto known = before.begin();
  for (RateMeters::Entry& entry : meters_.All()) {
    if (entry.tenant.size() > kNameMax) continue;
    while (known != before.end() && known->of.tenant < entry.tenant) ++known;
    const bool is_known = known != before.end() && known->of.tenant == entry.tenant;
    rows_.push_back({std::move(entry), is_known && known->tells_levels});
  }
  if (next_ >= rows_.size()) next_ = 0;
}

RateMeter* UseTopic::Find(std::string_view tenant) {
  if (meters_.made() != made_) Refresh();
  const auto row =
      std::lower_bound(rows_.begin(), rows_.end(), tenant,
                       [](const Row& a, std::string_view name) { return a.of.tenant < name; });
  return row == rows_.end() || row->of.tenant != tenant ? nullptr : row->of.meter.get();
}

absl::Status UseTopic::Take(uint64_t /*peer*/, std::string_view payload, TimePoint now) {
  while (!payload.empty()) {
    UseEntry entry;
    if (const absl::Status status = TakeEntry(&payload, &entry); !status.ok()) return status;
    RateMeter* const meter = Find(entry.tenant);
    if (meter == nullptr) continue;
    meter->UsedElsewhere(entry.use, now);
    meter->LowerTo(entry.levels, now);
  }
  return absl::OkStatus();
}

}  // namespace gw::peers
