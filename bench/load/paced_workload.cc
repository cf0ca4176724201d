#include "bench/load/paced_workload.h"

#include <utility>

namespace gw::bench {
namespace {

class PacedWorkload final : public LoadWorkload {
 public:
  PacedWorkload(std::unique_ptr<Pace> pace, ApiKind api, std::function<Ask(uint64_t)> make,
                std::string description)
      : pace_(std::move(pace)),
        api_(api),
        make_(std::move(make)),
        description_(std::move(description)) {}

  std::optional<Duration> due() const override { return pace_->due(); }
  Ask Take() override {
    const Duration due = pace_->Take();
    Ask ask = make_(taken_);
    ask.id = taken_++;
    ask.due = due;
    ask.api = api_;
    return ask;
  }
  void OnAnswer(const Ask&, const Answer&, Duration now) override { pace_->OnAnswer(now); }
  bool done() const override { return pace_->done(); }
  std::optional<Duration> length() const override { return pace_->length(); }
  std::optional<uint64_t> count() const override { return pace_->count(); }
  std::string Describe() const override { return description_ + ", " + pace_->Describe(); }

 private:
  const std::unique_ptr<Pace> pace_;
  const ApiKind api_;
  const std::function<Ask(uint64_t)> make_;
  const std::string description_;
  uint64_t taken_ = 0;
};

}  // namespace

std::unique_ptr<LoadWorkload> NewPacedWorkload(std::unique_ptr<Pace> pace, ApiKind api,
                                               std::function<Ask(uint64_t)> make,
                                               std::string description) {
  return std::make_unique<PacedWorkload>(std::move(pace), api, std::move(make),
                                         std::move(description));
}

}  // namespace gw::bench
