#include "bench/replay/foreign.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace gw::bench {
namespace {

constexpr uint64_t kIdsFrom = uint64_t{1} << 62;  // those of a gateway's are below
constexpr Duration kInstant{1};                   // a time that is not zero, which says none

}  // namespace

class ForeignRequests::One final : public ReplicaCaller {
 public:
  One(ForeignRequests& all, uint64_t id, Ask asked, std::string text)
      : ask(std::move(asked)), all_(all), id_(id) {
    answer.text = std::move(text);
    answer.sent = now();
  }

  Duration now() const { return std::max(all_.fleet_.timeline().now() - all_.start_, kInstant); }

  Ask ask;
  Answer answer;

 private:
  // Of the first admission only, as for the gateways' own.
  void OnScheduled(uint32_t cached_tokens) override {
    if (answer.cached_tokens < 0) answer.cached_tokens = cached_tokens;
  }
  void OnToken(uint32_t tokens) override {
    if (answer.first == Duration(0)) answer.first = now();
    if (answer.events > 0) answer.gap_max = std::max(answer.gap_max, now() - answer.last);
    answer.last = now();
    answer.events = tokens;
    answer.output_tokens = tokens;
  }
  void OnFinished() override { all_.End(id_, AnswerEnd::kComplete, 200); }
  void OnBroken() override { all_.End(id_, AnswerEnd::kBroken, answer.events > 0 ? 200 : 0); }

  ForeignRequests& all_;
  const uint64_t id_;
};

ForeignRequests::ForeignRequests(VirtualFleet& fleet, TimePoint start, OnEnd on_end)
    : fleet_(fleet), start_(start), on_end_(std::move(on_end)), sent_to_(fleet.size()) {}

ForeignRequests::~ForeignRequests() = default;

VirtualReplica* ForeignRequests::NextEngine(const std::vector<bool>& present, size_t* engine) {
  for (size_t tried = 0; tried < fleet_.size(); ++tried) {
    *engine = turn_++ % fleet_.size();
    VirtualReplica& replica = fleet_.replica(*engine);
    if (present[*engine] && replica.up()) return &replica;
  }
  return nullptr;
}

void ForeignRequests::Send(Ask ask, std::string text, FleetRequest request,
                           const std::vector<bool>& present) {
  const uint64_t id = kIdsFrom + sent_++;
  One* const one =
      live_.emplace(id, std::make_unique<One>(*this, id, std::move(ask), std::move(text)))
          .first->second.get();
  size_t engine = 0;
  VirtualReplica* const replica = NextEngine(present, &engine);
  const auto end_soon = [&](AnswerEnd end, int status) {
    fleet_.timeline().After(Duration(0), [this, id, end, status] { End(id, end, status); });
  };
  if (replica == nullptr) return end_soon(AnswerEnd::kBroken, 0);
  const bool fits = replica->Submit({.id = id,
                                     .prompt_tokens = request.prompt_tokens,
                                     .output_tokens = request.output_tokens,
                                     .block_names = std::move(request.block_names)},
                                    one);
  if (!fits) return end_soon(AnswerEnd::kStatus, 400);
  ++sent_to_[engine];
}

void ForeignRequests::End(uint64_t id, AnswerEnd end, int status) {
  const auto ended = live_.extract(id);  // there until this returns, as the engine is calling it
  One& one = *ended.mapped();
  one.answer.end = end;
  one.answer.status = status;
  one.answer.ended = one.now();
  on_end_(one.ask, one.answer);
}

}  // namespace gw::bench
