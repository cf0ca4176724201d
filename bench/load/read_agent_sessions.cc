#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "bench/load/agent_sessions.h"
#include "bench/load/paced_workload.h"
#include "bench/load/trace_lines.h"

namespace gw::bench {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

absl::Status Wrong(const std::string& message) { return absl::InvalidArgumentError(message); }

absl::Status ReadNumber(const object& from, const char* field, uint64_t least, uint64_t* value) {
  if (from[field].get(*value) || *value < least || *value > kTokensMax) {
    return Wrong(fmt::format("{}: wanted a number from {} to {}", field, least, kTokensMax));
  }
  return absl::OkStatus();
}

absl::Status ReadTokens(const object& from, const char* field, uint32_t* tokens) {
  uint64_t value = 0;
  RETURN_IF_ERROR(ReadNumber(from, field, 0, &value));
  // Nothing can be asked with an empty prompt, or for no token.
  *tokens = std::max(1u, static_cast<uint32_t>(value));
  return absl::OkStatus();
}

// Null and what is not there: none.
absl::Status ReadTime(const object& from, const char* field, double units_per_second,
                      Duration* time) {
  element value;
  double number = 0;
  if (from[field].get(value) || value.is_null()) return absl::OkStatus();
  if (value.get(number) || number < 0 || number > kTraceSecondsMax * units_per_second) {
    return Wrong(fmt::format("{}: wanted a number from 0 on, or null", field));
  }
  *time = Duration(static_cast<int64_t>(number / units_per_second * 1e9));
  return absl::OkStatus();
}

// Adds to `blocks`, the number of all blocks, which stays at kTokensMax or below.
absl::Status ReadRuns(const object& from, AgentRequest* request, uint64_t* blocks) {
  constexpr char kWanted[] = "r: wanted runs of blocks, [[first id, how many], ...]";
  simdjson::dom::array runs;
  if (from["r"].get(runs)) return Wrong(kWanted);
  for (const element one : runs) {
    simdjson::dom::array pair;
    BlockRun run;
    // Ids so small that none overflows.
    if (one.get(pair) || pair.size() != 2 || pair.at(0).get(run.first) ||
        pair.at(1).get(run.count) || run.first >> 62 != 0) {
      return Wrong(kWanted);
    }
    if (run.count > kTokensMax - *blocks) {
      return Wrong(fmt::format("r: wanted at most {} blocks", kTokensMax));
    }
    *blocks += run.count;
    request->blocks.push_back(run);
  }
  return absl::OkStatus();
}

// `blocks`: of the request before in the same list, and then of this one.
absl::Status ReadRequest(const object& from, AgentRequest* request, uint64_t* blocks) {
  RETURN_IF_ERROR(ReadTokens(from, "i", &request->prompt_tokens));
  RETURN_IF_ERROR(ReadTokens(from, "o", &request->output_tokens));
  RETURN_IF_ERROR(ReadTime(from, "w", 1, &request->think));
  if (from["k"].get(request->kept_blocks) || request->kept_blocks > *blocks) {
    return Wrong(fmt::format("k: wanted at most the {} blocks of the request before", *blocks));
  }
  *blocks = request->kept_blocks;
  return ReadRuns(from, request, blocks);
}

// Of one list, without what sub-agents ask in it: an error says which of it.
class SessionReader {
 public:
  explicit SessionReader(AgentSession* session) : session_(session) {}

  absl::Status ReadList(const simdjson::dom::array& list, bool of_sub_agent) {
    uint64_t blocks = 0;
    size_t number = 0;
    for (const element one : list) {
      ++number;
      if (const absl::Status status = ReadOne(one, of_sub_agent, &blocks); !status.ok()) {
        return Wrong(fmt::format("{} {}: {}", of_sub_agent ? "sub" : "req", number,
                                 std::string(status.message())));
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ReadOne(const element& one, bool of_sub_agent, uint64_t* blocks) {
    object from;
    if (one.get(from)) return Wrong("wanted a JSON object");
    element sub;
    if (!from["sub"].get(sub)) {
      simdjson::dom::array list;
      if (of_sub_agent || sub.get(list)) return Wrong("sub: wanted a list in a session's own");
      Duration took{};
      RETURN_IF_ERROR(ReadTime(from, "duration_ms", 1e3, &took));
      sub_agents_took_ = std::min(sub_agents_took_ + took, kTookMax);
      return ReadList(list, true);
    }
    AgentRequest request{.of_sub_agent = of_sub_agent};
    RETURN_IF_ERROR(ReadRequest(from, &request, blocks));
    if (!of_sub_agent) {
      request.think -= std::min(request.think, std::exchange(sub_agents_took_, Duration{}));
    }
    session_->requests.push_back(std::move(request));
    return absl::OkStatus();
  }

  static constexpr Duration kTookMax = std::chrono::seconds(int64_t{1'000'000'000});

  AgentSession* const session_;
  Duration sub_agents_took_{};  // since the session's own last request
};

absl::Status ReadSession(const element& root, AgentSession* session) {
  object from;
  std::string_view id;
  if (root.get(from)) return Wrong("wanted a JSON object");
  if (from["id"].get(id) || id.empty()) return Wrong("id: wanted a text");
  session->id = id;
  uint64_t block_tokens = 0;
  uint64_t tool_tokens = 0;
  uint64_t system_tokens = 0;
  RETURN_IF_ERROR(ReadNumber(from, "bs", 1, &block_tokens));
  RETURN_IF_ERROR(ReadNumber(from, "tool", 0, &tool_tokens));
  RETURN_IF_ERROR(ReadNumber(from, "sys", 0, &system_tokens));
  session->block_tokens = static_cast<uint32_t>(block_tokens);
  session->shared_blocks = (tool_tokens + system_tokens) / block_tokens;
  simdjson::dom::array list;
  if (from["req"].get(list)) return Wrong("req: wanted a list");
  RETURN_IF_ERROR(SessionReader(session).ReadList(list, false));
  if (session->requests.empty()) return Wrong("req: wanted at least one request");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<AgentSession>> ReadAgentSessions(std::istream& in) {
  std::vector<AgentSession> sessions;
  simdjson::dom::parser parser;
  RETURN_IF_ERROR(ReadTraceLines(in, std::nullopt, [&](const std::string& line) -> absl::Status {
    element root;
    if (parser.parse(line).get(root)) return Wrong("wanted a JSON object");
    return ReadSession(root, &sessions.emplace_back());
  }));
  return sessions;
}

}  // namespace gw::bench
