#include "server/release_state.h"

#include <absl/strings/numbers.h>
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "base/text.h"
#include "kube/json_node.h"
#include "kube/node_edit.h"

namespace gw {
namespace {

using api::Node;
using kube::ListNode;
using kube::MapNode;
using kube::SetMember;
using kube::TextNode;
using release::kPhases;
using release::LogMoments;
using release::Phase;
using release::Request;
using release::RunState;
using release::Samples;
using release::Transition;
using release::VersionSamples;

constexpr std::array<std::string_view, 3> kRequests = {"None", "Promote", "Abort"};
constexpr int64_t kNanos = 1'000'000'000;

Node Scalar(std::string text) {
  Node node;
  node.kind = Node::Kind::kScalar;
  node.text = std::move(text);
  return node;
}

Node Number(double number) { return Scalar(fmt::format("{}", number)); }
Node Number(int64_t number) { return Scalar(std::to_string(number)); }
Node Number(uint64_t number) { return Scalar(std::to_string(number)); }
Node Bool(bool value) { return Scalar(value ? "true" : "false"); }

Node NodeOf(const LogMoments& moments) {
  Node node = MapNode();
  SetMember(&node, "count", Number(moments.count));
  SetMember(&node, "sum", Number(moments.sum));
  SetMember(&node, "sumSquares", Number(moments.sum_squares));
  return node;
}

Node NodeOf(const VersionSamples& samples) {
  Node node = MapNode();
  SetMember(&node, "requests", Number(samples.requests));
  SetMember(&node, "errors", Number(samples.errors));
  SetMember(&node, "finished", Number(samples.finished));
  SetMember(&node, "endedByLength", Number(samples.ended_by_length));
  SetMember(&node, "endedAbnormally", Number(samples.ended_abnormally));
  SetMember(&node, "ttft", NodeOf(samples.ttft));
  SetMember(&node, "tpot", NodeOf(samples.tpot));
  return node;
}

Node NodeOf(const Samples& samples) {
  Node node = MapNode();
  SetMember(&node, "window", Number(samples.window));
  SetMember(&node, "stable", NodeOf(samples.stable));
  SetMember(&node, "candidate", NodeOf(samples.candidate));
  return node;
}

Node NodeOf(const Transition& transition) {
  Node node = MapNode();
  SetMember(&node, "time", TextNode(UtcText(transition.unix_ns / kNanos)));
  SetMember(&node, "unixNanos", Number(transition.unix_ns));
  SetMember(&node, "from", TextNode(Name(transition.from)));
  SetMember(&node, "to", TextNode(Name(transition.to)));
  SetMember(&node, "step", Number(static_cast<uint64_t>(transition.step)));
  SetMember(&node, "reason", TextNode(transition.reason));
  return node;
}

// Reads members of a map; the first that is wrong stays the error.
class Members {
 public:
  Members(const Node* node, std::string path) : node_(node), path_(std::move(path)) {
    if (node_ != nullptr && !node_->is_map()) Fail("", "a map is wanted");
  }

  void Get(std::string_view name, std::string* to) {
    if (const Node* found = Find(name)) *to = found->text;
  }
  void Get(std::string_view name, bool* to) {
    const Node* const found = Find(name);
    if (found == nullptr) return;
    if (found->text != "true" && found->text != "false") return Fail(name, "a boolean is wanted");
    *to = found->text == "true";
  }
  void Get(std::string_view name, double* to) {
    const Node* const found = Find(name);
    if (found != nullptr && !absl::SimpleAtod(found->text, to)) Fail(name, "a number is wanted");
  }
  template <typename Integer>
  void GetInteger(std::string_view name, Integer* to) {
    const Node* const found = Find(name);
    if (found != nullptr && !absl::SimpleAtoi(found->text, to)) Fail(name, "an integer is wanted");
  }
  // One of those names.
  template <typename Value, typename Values>
  void GetNamed(std::string_view name, const Values& values, std::string_view (*name_of)(Value),
                Value* to) {
    const Node* const found = Find(name);
    if (found == nullptr) return;
    for (const Value value : values) {
      if (name_of(value) != found->text) continue;
      *to = value;
      return;
    }
    Fail(name, "is none of those that there are");
  }
  Members Of(std::string_view name) {
    const Node* const found = node_ != nullptr ? node_->Find(name) : nullptr;
    return {found, path_ + std::string(name) + "."};
  }
  const Node* Lists(std::string_view name) {
    const Node* const found = node_ != nullptr ? node_->Find(name) : nullptr;
    if (found == nullptr || found->is_list()) return found;
    Fail(name, "a list is wanted");
    return nullptr;
  }
  void Take(const Members& part) {
    if (error_.empty()) error_ = part.error_;
  }
  absl::Status status() const {
    return error_.empty() ? absl::OkStatus() : absl::InvalidArgumentError(error_);
  }

 private:
  const Node* Find(std::string_view name) {
    const Node* const found = node_ != nullptr ? node_->Find(name) : nullptr;
    if (found == nullptr || found->kind == Node::Kind::kScalar) return found;
    Fail(name, "a single value is wanted");
    return nullptr;
  }
  void Fail(std::string_view name, std::string_view wanted) {
    if (error_.empty()) error_ = fmt::format("{}{}: {}", path_, name, wanted);
  }

  const Node* node_;
  std::string path_;
  std::string error_;
};

void Read(Members in, LogMoments* moments, Members* all) {
  in.GetInteger("count", &moments->count);
  in.Get("sum", &moments->sum);
  in.Get("sumSquares", &moments->sum_squares);
  all->Take(in);
}

void Read(Members in, VersionSamples* samples, Members* all) {
  in.GetInteger("requests", &samples->requests);
  in.GetInteger("errors", &samples->errors);
  in.GetInteger("finished", &samples->finished);
  in.GetInteger("endedByLength", &samples->ended_by_length);
  in.GetInteger("endedAbnormally", &samples->ended_abnormally);
  Read(in.Of("ttft"), &samples->ttft, all);
  Read(in.Of("tpot"), &samples->tpot, all);
  all->Take(in);
}

Transition ReadTransition(Members in, Members* all) {
  Transition transition;
  in.GetInteger("unixNanos", &transition.unix_ns);
  in.GetNamed("from", kPhases, release::Name, &transition.from);
  in.GetNamed("to", kPhases, release::Name, &transition.to);
  in.GetInteger("step", &transition.step);
  in.Get("reason", &transition.reason);
  all->Take(in);
  return transition;
}

std::string_view NameOfRequest(Request request) { return kRequests[static_cast<size_t>(request)]; }

}  // namespace

Node NodeOf(const RunState& state) {
  Node node = MapNode();
  SetMember(&node, "phase", TextNode(Name(state.phase)));
  SetMember(&node, "started", Bool(state.is_started));
  SetMember(&node, "step", Number(static_cast<uint64_t>(state.step)));
  SetMember(&node, "spentSeconds", Number(ToSeconds(state.spent)));
  SetMember(&node, "weightPercent", Number(state.weight_percent));
  SetMember(&node, "generation", Number(state.generation));
  SetMember(&node, "stable", TextNode(state.stable));
  SetMember(&node, "candidate", TextNode(state.candidate));
  SetMember(&node, "pausedDone", Bool(state.paused_done));
  SetMember(&node, "requestDone", TextNode(NameOfRequest(state.request_done)));
  SetMember(&node, "samples", NodeOf(state.samples));
  Node history = ListNode();
  for (const Transition& transition : state.history) history.items.push_back(NodeOf(transition));
  SetMember(&node, "history", std::move(history));
  SetMember(&node, "historyDropped", Number(state.history_dropped));
  return node;
}

// For people: what is kept exactly is the state.
Node SummaryOf(const VersionSamples& samples, double weight_percent) {
  const auto mean = [](const LogMoments& moments) {
    return Number(moments.count == 0 ? 0.0 : std::exp(moments.mean()));
  };
  Node node = MapNode();
  SetMember(&node, "weightPercent", Number(weight_percent));
  SetMember(&node, "samples", Number(samples.requests));
  SetMember(&node, "errors", Number(samples.errors));
  SetMember(&node, "ttftSeconds", mean(samples.ttft));
  SetMember(&node, "tpotSeconds", mean(samples.tpot));
  SetMember(&node, "endedByLength", Number(samples.ended_by_length));
  SetMember(&node, "endedAbnormally", Number(samples.ended_abnormally));
  return node;
}

Node StatusOf(const release::ReleaseRun& run, bool with_state) {
  const RunState& state = run.state();
  const release::Weights weights = run.weights();
  Node node = MapNode();
  SetMember(&node, "phase", TextNode(Name(state.phase)));
  SetMember(&node, "message", TextNode(run.StatusText()));
  SetMember(&node, "step", Number(static_cast<uint64_t>(state.step + 1)));
  SetMember(&node, "steps", Number(static_cast<uint64_t>(run.plan().steps.size())));
  SetMember(&node, "weight", Number(weights.candidate_percent));
  SetMember(&node, "stable", SummaryOf(state.samples.stable, weights.stable_percent));
  SetMember(&node, "candidate", SummaryOf(state.samples.candidate, weights.candidate_percent));
  Node verdict = ListNode();
  for (const release::TestVerdict& test : run.verdict().tests) {
    verdict.items.push_back(TextNode(release::VerdictText(test, run.plan().false_alarm_rate)));
  }
  SetMember(&node, "verdict", std::move(verdict));
  if (with_state) {
    SetMember(&node, "state", NodeOf(state));
    return node;
  }
  Node history = ListNode();
  for (Transition transition : state.history) {
    ++transition.step;
    history.items.push_back(NodeOf(transition));
  }
  SetMember(&node, "history", std::move(history));
  return node;
}

absl::StatusOr<RunState> ReleaseStateOf(const Node& node) {
  RunState state;
  Members in(&node, "");
  double spent_s = 0;
  in.GetNamed("phase", kPhases, release::Name, &state.phase);
  in.Get("started", &state.is_started);
  in.GetInteger("step", &state.step);
  in.Get("spentSeconds", &spent_s);
  // What is out of range here would be out of range of a Duration, too.
  if (!(spent_s >= 0 && spent_s <= ToSeconds(release::kPauseMax))) spent_s = 0;
  state.spent = Duration(std::llround(spent_s * 1e9));
  in.Get("weightPercent", &state.weight_percent);
  in.GetInteger("generation", &state.generation);
  in.Get("stable", &state.stable);
  in.Get("candidate", &state.candidate);
  in.Get("pausedDone", &state.paused_done);
  in.GetNamed("requestDone", std::array{Request::kNone, Request::kPromote, Request::kAbort},
              NameOfRequest, &state.request_done);
  Members samples = in.Of("samples");
  samples.GetInteger("window", &state.samples.window);
  Read(samples.Of("stable"), &state.samples.stable, &samples);
  Read(samples.Of("candidate"), &state.samples.candidate, &samples);
  in.Take(samples);
  if (const Node* history = in.Lists("history")) {
    for (const Node& item : history->items) {
      state.history.push_back(ReadTransition({&item, "history."}, &in));
    }
  }
  in.GetInteger("historyDropped", &state.history_dropped);
  RETURN_IF_ERROR(in.status());
  return state;
}

std::string StateText(const ReleaseStates& states) {
  Node releases = MapNode();
  for (const auto& [name, state] : states) SetMember(&releases, name, NodeOf(state));
  Node all = MapNode();
  SetMember(&all, "version", Number(int64_t{1}));
  SetMember(&all, "releases", std::move(releases));
  return kube::ToJson(all) + "\n";
}

absl::StatusOr<ReleaseStates> ParseStates(std::string_view text) {
  ASSIGN_OR_RETURN(const Node all, kube::ParseJson(text));
  const Node* const version = all.Find("version");
  if (version == nullptr || version->text != "1") {
    return absl::InvalidArgumentError("version: 1 is wanted");
  }
  ReleaseStates states;
  const Node* const releases = all.Find("releases");
  if (releases == nullptr || !releases->is_map()) {
    return absl::InvalidArgumentError("releases: a map is wanted");
  }
  for (size_t i = 0; i < releases->items.size(); ++i) {
    const std::string& name = releases->keys[i].name;
    absl::StatusOr<RunState> state = ReleaseStateOf(releases->items[i]);
    if (!state.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("releases.{}.{}", name, std::string(state.status().message())));
    }
    states[name] = *std::move(state);
  }
  return states;
}

absl::StatusOr<RunState> StateOfStatus(std::string_view status) {
  if (status.empty()) return absl::NotFoundError("no status");
  ASSIGN_OR_RETURN(const Node all, kube::ParseJson(status));
  const Node* const state = all.Find("state");
  if (state == nullptr) return absl::NotFoundError("the status has no state");
  return ReleaseStateOf(*state);
}

}  // namespace gw
