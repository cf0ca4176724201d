#include "bench/load/agent_sessions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "base/status.h"
#include "bench/load/paced_workload.h"
#include "bench/load/prose.h"
#include "bench/load/trace_lines.h"

namespace gw::bench {
namespace {

constexpr uint32_t kUsersMax = 1'000'000;

// Where a user is in a session.
struct User {
  size_t session = 0;
  size_t next = 0;  // request
  // Of the last requests of the session's own and of its sub-agent's. In full, since sessions are
  // many and users few.
  std::vector<uint64_t> blocks;
  std::vector<uint64_t> sub_agent_blocks;
};

class AgentSessions final : public LoadWorkload {
 public:
  AgentSessions(std::vector<AgentSession> sessions, const AgentSessionsOptions& options)
      : options_(options), sessions_(std::move(sessions)), order_(sessions_.size()) {
    for (size_t i = 0; i < order_.size(); ++i) order_[i] = i;
    Random random(ProseId(options_.seed, static_cast<uint64_t>(Stream::kOrder), 0));
    for (size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[random.Below(i)]);
    users_.resize(std::min<size_t>(options_.users, sessions_.size()));
    for (size_t i = 0; i < users_.size(); ++i) Begin(i, Duration{});
  }

  std::optional<Duration> due() const override {
    if (AllAsked() || ready_.empty()) return std::nullopt;
    return ready_.begin()->first;
  }

  Ask Take() override {
    CHECK(due().has_value());
    const auto [due, number] = *ready_.begin();
    ready_.erase(ready_.begin());
    User& user = users_[number];
    Ask ask = AskOf(&user);
    ask.id = asked_++;
    ask.due = due;
    ask.api = options_.form.api;
    in_flight_.emplace(ask.id, number);
    ++user.next;
    return ask;
  }

  void OnAnswer(const Ask& ask, const Answer&, Duration now) override {
    const auto found = in_flight_.find(ask.id);
    CHECK(found != in_flight_.end());
    const size_t number = found->second;
    in_flight_.erase(found);
    const User& user = users_[number];
    const AgentSession& session = sessions_[user.session];
    if (user.next == session.requests.size()) {
      Begin(number, now);
      return;
    }
    const Duration think = std::min(session.requests[user.next].think, options_.think_max);
    ready_.emplace(now + Duration(std::llround(ToSeconds(think) / options_.speed * 1e9)), number);
  }

  bool done() const override { return AllAsked() || (ready_.empty() && in_flight_.empty()); }
  std::optional<uint64_t> count() const override {
    uint64_t all = 0;
    for (const AgentSession& session : sessions_) all += session.requests.size();
    return std::min(all, options_.count.value_or(all));
  }
  std::string Describe() const override {
    return fmt::format("trace of agents, {} sessions, {} users, {:g} times as fast",
                       sessions_.size(), options_.users, options_.speed);
  }

 private:
  bool AllAsked() const { return options_.count && asked_ >= *options_.count; }

  // The next session, if there is one.
  void Begin(size_t number, Duration now) {
    if (begun_ == order_.size()) return;
    users_[number] = {.session = order_[begun_++]};
    ready_.emplace(now, number);
  }

  Ask AskOf(User* user) const {
    const AgentSession& session = sessions_[user->session];
    const AgentRequest& request = session.requests[user->next];
    std::vector<uint64_t>& blocks = request.of_sub_agent ? user->sub_agent_blocks : user->blocks;
    // Another sub-agent begins with none.
    blocks.resize(std::min<size_t>(blocks.size(), request.kept_blocks));
    for (const BlockRun& run : request.blocks) {
      for (uint64_t i = 0; i < run.count; ++i) blocks.push_back(run.first + i);
    }
    const Message message{Role::kUser, TextOf(*user, blocks)};
    Ask ask;
    ask.body = RequestBody(options_.form, {&message, 1}, request.output_tokens);
    ask.session = session.id;
    ask.turn = static_cast<uint32_t>(user->next);
    ask.prompt_tokens = request.prompt_tokens;
    ask.output_tokens = request.output_tokens;
    return ask;
  }

  std::string TextOf(const User& user, const std::vector<uint64_t>& blocks) const {
    const AgentSession& session = sessions_[user.session];
    // Of texts that only this session has.
    const uint64_t own =
        ProseId(options_.seed, static_cast<uint64_t>(Stream::kBlock), user.session);
    std::vector<Part> parts;
    uint32_t left = session.requests[user.next].prompt_tokens;
    for (const uint64_t id : blocks) {
      if (left == 0) break;
      const uint32_t tokens = std::min(left, session.block_tokens);
      const bool shared = id <= session.shared_blocks;
      parts.push_back({shared ? ProseId(options_.seed, static_cast<uint64_t>(Stream::kSystem), id)
                              : ProseId(own, static_cast<uint64_t>(Stream::kBlock), id),
                       tokens});
      left -= tokens;
    }
    parts.push_back({ProseId(own, static_cast<uint64_t>(Stream::kQuestion), user.next), left});
    return ProseOf(parts);
  }

  const AgentSessionsOptions options_;
  const std::vector<AgentSession> sessions_;
  std::vector<size_t> order_;
  size_t begun_ = 0;  // of order_
  uint64_t asked_ = 0;
  std::vector<User> users_;
  std::set<std::pair<Duration, size_t>> ready_;  // when which user asks, if it is not in flight
  std::map<uint64_t, size_t> in_flight_;         // by the Ask's id: which user
};

absl::Status Wrong(const std::string& message) { return absl::InvalidArgumentError(message); }

}  // namespace

void LimitAgentSessions(const AgentLimits& limits, std::vector<AgentSession>* sessions) {
  for (AgentSession& session : *sessions) {
    std::vector<AgentRequest>& requests = session.requests;
    const auto too_long = std::ranges::find_if(requests, [&](const AgentRequest& request) {
      return request.prompt_tokens > limits.prompt_tokens_max;
    });
    requests.erase(too_long, requests.end());
    if (requests.size() > limits.requests_max) requests.resize(limits.requests_max);
    for (AgentRequest& request : requests) {
      request.output_tokens = std::min(request.output_tokens, limits.output_tokens_max);
    }
  }
  std::erase_if(*sessions, [](const AgentSession& one) { return one.requests.empty(); });
}

absl::StatusOr<std::unique_ptr<LoadWorkload>> NewAgentSessions(
    std::vector<AgentSession> sessions, const AgentSessionsOptions& options) {
  RETURN_IF_ERROR(CheckForm(options.form));
  if (options.users == 0 || options.users > kUsersMax) {
    return Wrong(fmt::format("--users: wanted 1 to {}", kUsersMax));
  }
  if (!(options.speed > 0) || std::isinf(options.speed)) {
    return Wrong("--speed: wanted a number above 0");
  }
  if (ToSeconds(options.think_max) / options.speed > kTraceSecondsMax) {
    return Wrong("--speed: so low that the trace would take decades");
  }
  if (options.count == 0) return Wrong("--requests: wanted a number above 0");
  return std::make_unique<AgentSessions>(std::move(sessions), options);
}

}  // namespace gw::bench
