// Released: which versions of which releases serve a request (release/split.h), and what it leaves
// of itself there.
//
// Counted as an error of its version is a try that came to no answer, whatever another one came to;
// an answer with an error, also of a client's making (both versions have their share of those); a
// request that the version's pool had no room or no endpoint for; one that another pool served for
// it. Not counted is whoever was refused before a version was to serve them, who has left, and who
// was ended for another request.

#pragma once

#include <memory>
#include <optional>
#include <string>

#include "release/split.h"

namespace gw {

class Released {
 public:
  // For the next request.
  void Reset();

  // `index`: the rule's destination, or the model's target, that serves it. The share may be null,
  // and need not be about that one.
  void TakeRoute(const std::shared_ptr<const release::Split>& share, size_t index) {
    Take(share, index, &route_);
  }
  void TakeModel(const std::shared_ptr<const release::Split>& share, size_t index) {
    Take(share, index, &model_);
  }
  // Some release counts it.
  bool counts() const { return route_.share != nullptr || model_.share != nullptr; }

  void CountFailedTry() {
    failed_ = true;
    AddError();
  }
  // It is refused for a limit of its route, which no version has to do with.
  void Excuse() { excused_ = true; }
  // Unless a try of it has failed, which was counted.
  void CountRefusal() {
    if (!failed_ && !excused_) AddError();
  }
  void CountError() { AddError(); }
  void CountAnswer(double ttft_s, std::optional<double> tpot_s,
                   std::optional<release::Finish> finish);

  // "default/chat-v2 candidate", of both "a candidate, b stable"; "" if there is none.
  std::string Text() const;

 private:
  struct Part {
    std::shared_ptr<const release::Split> share;
    release::Version version = release::Version::kStable;
  };

  static void Take(const std::shared_ptr<const release::Split>& share, size_t index, Part* part);
  void AddError();

  Part route_;
  Part model_;
  bool failed_ = false;
  bool excused_ = false;
};

}  // namespace gw
