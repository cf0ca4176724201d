#include "bench/side_by_side.h"

#include <string>
#include <unordered_map>
#include <utility>

#include "api/inference.h"
#include "base/check.h"
#include "bench/virtual/fleet.h"

namespace gw::bench {
namespace {

class Course {
 public:
  Course(const SideBySide& options, const std::vector<Conversation>& conversations)
      : options_(options),
        conversations_(conversations),
        fleet_({.replicas = std::vector(static_cast<size_t>(options.replicas), options.replica),
                .gateways = options.gateways,
                .page_time = options.page_time,
                .seed = options.seed},
               [this](const FleetAnswer& answer) { OnEnd(answer); }),
        start_(fleet_.timeline().now()) {
    const bool by_prefix = options.strategy == RoutingStrategy::kPrefixCache;
    fleet_.Load(PoolObjects(options.replicas,
                            {{api::kStrategyAnnotation, by_prefix ? "PREFIX_CACHE" : "DEFAULT"}}));
  }

  Measured Run();

 private:
  struct Asked {
    size_t conversation = 0;
    size_t turn = 0;
    uint32_t prompt_tokens = 0;
  };

  void ArriveAt(TimePoint at, size_t conversation, size_t turn);
  void Arrive(size_t conversation, size_t turn);
  void OnEnd(const FleetAnswer& answer);

  const SideBySide& options_;
  const std::vector<Conversation>& conversations_;
  VirtualFleet fleet_;
  const TimePoint start_;
  size_t dealt_ = 0;
  size_t unended_ = 0;  // requests of conversations that are to come or under way
  std::unordered_map<uint64_t, Asked> asked_;  // that have not ended
  Measured measured_;
};

Measured Course::Run() {
  for (size_t i = 0; i < conversations_.size(); ++i) {
    unended_ += conversations_[i].turns.size();
    ArriveAt(start_ + conversations_[i].begins, i, 0);
  }
  fleet_.RunWhile([this] { return unended_ > 0; });
  measured_.pages = fleet_.pages();
  measured_.lasted = fleet_.timeline().now() - start_ - options_.warm_up;
  return std::move(measured_);
}

void Course::ArriveAt(TimePoint at, size_t conversation, size_t turn) {
  fleet_.timeline().At(at, [this, conversation, turn] { Arrive(conversation, turn); });
}

void Course::Arrive(size_t conversation, size_t turn) {
  std::vector<Part> parts = PromptOf(conversations_[conversation], conversation, turn);
  FleetRequest request{.body = CompletionBody("m", TextOf(parts))};
  for (const Part& part : parts) request.prompt_tokens += part.tokens;
  request.output_tokens = conversations_[conversation].turns[turn].answer_tokens;
  parts.push_back({AnswerId(conversation, turn), request.output_tokens});
  request.block_names = BlockNamesOf(parts, options_.replica.block_tokens);
  const Asked asked{conversation, turn, request.prompt_tokens};
  const size_t gateway = dealt_++ % static_cast<size_t>(options_.gateways);
  asked_.emplace(fleet_.Send(gateway, 0, std::move(request)), asked);
}

void Course::OnEnd(const FleetAnswer& answer) {
  const auto found = asked_.find(answer.id);
  CHECK(found != asked_.end() && answer.outcome == Outcome::kComplete);
  const Asked asked = found->second;
  asked_.erase(found);
  --unended_;
  if (answer.arrived - start_ >= options_.warm_up) {
    measured_.ttfts.push_back(*answer.first_token - answer.arrived);
    measured_.prompt_tokens += asked.prompt_tokens;
    measured_.cached_tokens += *answer.cached_tokens;
  }
  const std::vector<Turn>& turns = conversations_[asked.conversation].turns;
  const size_t next = asked.turn + 1;
  if (next == turns.size()) return;
  ArriveAt(fleet_.timeline().now() + turns[next].pause, asked.conversation, next);
}

}  // namespace

Measured RunSideBySide(const SideBySide& options, const std::vector<Conversation>& conversations) {
  return Course(options, conversations).Run();
}

}  // namespace gw::bench
