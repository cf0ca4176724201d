// What a load generator asks a server, and what it comes to know of the answer.

#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "inference/request.h"

namespace gw::bench {

// One request, ready to be sent. Times count from the start of the run.
struct Ask {
  uint64_t id = 0;  // the workload's own name for it, unique in a run
  Duration due{};   // latency counts from here, however late it is sent
  ApiKind api = ApiKind::kChatCompletions;
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;  // beside those of every request
  // What its figures are gathered under besides those of all; empty: nothing.
  std::string tenant;
  std::string priority;
  std::string session;         // the conversation or user it belongs to
  uint32_t turn = 0;           // in that, from 0
  uint32_t prompt_tokens = 0;  // as the workload means it; 0: unknown
  uint32_t output_tokens = 0;  // that are asked for at most
  bool counts = true;          // false: it warms up, and is left out of all figures
  bool wants_text = false;     // Answer::text is of use to the workload
};

enum class AnswerEnd : uint8_t {
  kComplete,
  kStatus,      // another status than 200
  kErrorEvent,  // an error inside the stream
  kBroken,      // it broke off, or was no answer of the API
  kConnect,     // no connection came about
  kTimeout,
  kUnfinished,  // the run was over
};
std::string_view NameOf(AnswerEnd end);  // "complete"

// What came of an Ask. Times count from the start of the run.
struct Answer {
  AnswerEnd end = AnswerEnd::kUnfinished;
  int status = 0;          // 0: there was no head
  std::string error = {};  // of all but kComplete: what is known, such as "429 queue_full"
  Duration held{};         // how long it was due and waited for a place (--in-flight-max)
  Duration sent{};         // its first byte was handed to a connection
  Duration first{};        // the first event that carries output; zero: there was none
  Duration last{};         // the last such
  Duration ended{};
  Duration gap_max{};          // the longest between two of them
  uint32_t events = 0;         // that carry output
  int64_t prompt_tokens = -1;  // as the server reports them; -1: it does not
  int64_t output_tokens = -1;
  int64_t cached_tokens = -1;
  std::string text = {};  // where it is wanted
};

}  // namespace gw::bench
