// LoadWorkload: what is asked when, and what follows from the answers. Open loops ask whatever
// becomes of it, closed ones when an answer has come.
//
//   while (!workload.done()) {
//     if due() has come: Ask ask = workload.Take();  ... later, once: workload.OnAnswer(ask,
//     answer, now)
//   }
//
// Deterministic by its seed and by the answers' times and texts. One thread at a time, no clock:
// times count from the start of the run.

#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "bench/load/ask.h"

namespace gw::bench {

class LoadWorkload {
 public:
  virtual ~LoadWorkload() = default;

  // When the next Ask is due; nullopt: none is until another answer has come, or none at all.
  // Asked again after each Take and OnAnswer.
  virtual std::optional<Duration> due() const = 0;
  // REQUIRES: due()
  virtual Ask Take() = 0;
  virtual void OnAnswer(const Ask& ask, const Answer& answer, Duration now) = 0;
  // Nothing is due any more, whatever answers come.
  virtual bool done() const = 0;
  // How long it lasts by its own plan, and how many it asks; nullopt: that depends on the answers.
  virtual std::optional<Duration> length() const { return std::nullopt; }
  virtual std::optional<uint64_t> count() const { return std::nullopt; }
  // What a person would call it, with its numbers: "multi-round-qa, 10 users, 5 rounds, 2/s".
  virtual std::string Describe() const = 0;
};

}  // namespace gw::bench
