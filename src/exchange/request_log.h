// The line of the log that a request has when it has ended, and whether it has one.
//
// Chance is the request's id: gateways side by side, and a gateway that gets the same request
// once more, decide alike, and what a smaller ratio logs a larger one logs, too.

#pragma once

#include <string_view>

#include "base/log_share.h"
#include "exchange/history.h"
#include "exchange/metrics.h"
#include "prefix/prompt_names.h"

namespace gw {

struct RouteRule;

// What the line of a request is written with.
struct LoggedAs {
  LogLevel level = LogLevel::kInfo;
  float sample_ratio = 0;               // it stands for 1 / so many; 0: nothing is sampled here
  const PromptNames* prompt = nullptr;  // as long as the call lasts; nullptr: not to be told
};

// A line of the log, for ExchangeEnvironment::log_request: handed to the log's own thread.
void LogRequest(const RequestRecord& record, const LoggedAs& as);

// By the hash of its id.
bool IsSampled(std::string_view request_id, float ratio);

// Whether it is one of those that LogShare::errors is about: its client was told of an error or had
// its answer cut, or more than one try was needed. A client that left is none.
bool IsErrorOfLog(const RequestRecord& record, Outcome outcome);

// The line of a request that has ended so, or nullopt: it has none. `rule`: nullptr, it has found
// none. `share`: of routes that say nothing. What is traced has a line beside its spans, unless
// there are to be none.
std::optional<LoggedAs> LineOf(const RequestRecord& record, Outcome outcome, const RouteRule* rule,
                               const LogShare& share);

}  // namespace gw
