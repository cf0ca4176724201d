// Runs the stories of test/scenario (its README.md has the language) through the production
// scheduler and prefix index.

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "fmt/format.h"
#include "pool/health.h"
#include "prefix/block_hash.h"
#include "prefix/index.h"
#include "scheduling/registry.h"

namespace gw {
namespace {

constexpr size_t kPromptChars = 640;

struct Statement {
  std::vector<std::string> words;           // before "->", without keys
  std::map<std::string, std::string> keys;  // key=value
  std::string expected;                     // behind "->"
};

std::vector<std::string> SplitBy(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

Statement Split(const std::string& line) {
  Statement statement;
  const std::string code = line.substr(0, line.find('#'));
  const size_t arrow = code.find("->");
  if (arrow != std::string::npos) {
    for (const std::string& word : SplitBy(code.substr(arrow + 2), ' ')) {
      statement.expected += (statement.expected.empty() ? "" : " ") + word;
    }
  }
  for (const std::string& word : SplitBy(code.substr(0, arrow), ' ')) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos) {
      statement.words.push_back(word);
    } else {
      statement.keys[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  return statement;
}

// One run of one story. Methods return "" or what is wrong.
class Scenario {
 public:
  explicit Scenario(uint64_t seed) : random_(seed) {}

  std::string Execute(const Statement& statement) {
    const auto& words = statement.words;
    const std::string& verb = words[0];
    if (verb == "pool" && words.size() == 2) return StartPool(words[1]);
    if (profile_ == nullptr) return "the first statement must be: pool PROFILE";
    if (verb == "endpoint" && words.size() <= 3) return AddEndpoint(statement);
    if (verb == "set" && words.size() == 2) return Set(words[1], statement.keys);
    if (verb == "eject" && words.size() == 2) return SetEjected(words[1], true);
    if (verb == "restore" && words.size() == 2) return SetEjected(words[1], false);
    if (verb == "request" && words.size() == 2) return Route(statement);
    if (verb == "end" && words.size() == 2) return End(words[1]);
    if (verb == "burst" && words.size() == 2) return Burst(statement);
    if (verb == "each" && words.size() == 2) return Each(statement);
    if (verb == "spread" && words.size() == 3) return CheckSpread(words[1] + " " + words[2]);
    if (verb == "advance" && words.size() == 2) {
      clock_.Advance(std::chrono::milliseconds(std::stoi(words[1])));
      return "";
    }
    return "not understood";
  }

 private:
  struct InFlight {
    EndpointState* state = nullptr;
    int64_t prompt_tokens = 0;
  };

  std::string StartPool(const std::string& name) {
    pool_ = Pool{};
    index_ =
        std::make_unique<PrefixIndex>(PrefixIndex::Options{.bytes_max = 4u << 20, .shards = 1});
    in_flight_.clear();
    placed_.clear();
    for (const auto& profile : {ProfileFor(RoutingStrategy::kDefault),
                                ProfileFor(RoutingStrategy::kPrefixCache), LoadProfile()}) {
      if (profile->name() == name) {
        profile_ = profile;
        return "";
      }
    }
    return "no profile " + name;
  }

  std::string AddEndpoint(const Statement& statement) {
    Endpoint endpoint;
    endpoint.name = statement.words.at(1);
    endpoint.state = std::make_shared<EndpointState>(static_cast<uint32_t>(pool_.endpoints.size()));
    EndpointState& state = *endpoint.state;
    pool_.endpoints.push_back(std::move(endpoint));
    const std::string error = Set(statement.words[1], statement.keys);
    if (statement.words.size() == 3) {
      if (statement.words[2] != "never") return "not understood: " + statement.words[2];
      state.scraped_at_ns = 0;
    }
    return error;
  }

  std::string Set(const std::string& name, const std::map<std::string, std::string>& keys) {
    EndpointState* state = Find(name);
    if (state == nullptr) return "no endpoint " + name;
    LoraAdapters adapters;
    adapters.base_model = "base";
    bool has_adapters = false;
    for (const auto& [key, value] : keys) {
      const auto number = [&value = value] { return std::stof(value); };
      if (key == "waiting") {
        state->waiting_requests = number();
      } else if (key == "running") {
        state->running_requests = number();
      } else if (key == "kv") {
        state->kv_cache_utilization_ratio = number();
      } else if (key == "foreign") {
        state->foreign_requests = number();
      } else if (key == "in-flight") {
        state->in_flight_requests = std::stoi(value);
      } else if (key == "paced-age") {
        state->paced_age_ns = Duration(std::chrono::milliseconds(std::stoi(value))).count();
      } else if (key.starts_with("lora")) {
        has_adapters = true;
        if (key == "lora-max") adapters.max_active = std::stoul(value);
        if (key == "lora") adapters.running = SplitBy(value, ',');
        if (key == "lora-waiting") adapters.waiting = SplitBy(value, ',');
      } else {
        return "no key " + key;
      }
    }
    if (has_adapters) state->set_lora(std::make_shared<const LoraAdapters>(adapters));
    state->scraped_at_ns = clock_.Now().time_since_epoch().count();
    return "";
  }

  std::string SetEjected(const std::string& name, bool ejected) {
    EndpointState* state = Find(name);
    if (state == nullptr) return "no endpoint " + name;
    const bool changed = ejected
                             ? RecordFailure(*state, clock_.Now(), EndpointFailure::kConnectRefused)
                             : RecordProbeSuccess(*state, clock_.Now());
    return changed ? "" : name + " was so already";
  }

  std::string Route(const Statement& statement) {
    const std::string placed = Dispatch(statement.words[1], statement.keys);
    if (statement.expected.empty()) return "";
    std::vector<std::string> allowed = SplitBy(statement.expected, '|');
    for (std::string& name : allowed) {
      // "-> r1" means: where request r1 went.
      if (const auto it = placed_.find(name); it != placed_.end()) name = it->second;
    }
    if (std::find(allowed.begin(), allowed.end(), placed) != allowed.end()) return "";
    return fmt::format("went to {}, not {}\n{}", placed, statement.expected, Explain());
  }

  std::string Burst(const Statement& statement) {
    const std::vector<int32_t> before = InFlightCounts();
    for (int i = std::stoi(statement.words[1]); i > 0; --i) {
      ++bursts_;
      Dispatch(fmt::format("burst {}", bursts_), Numbered(statement.keys, bursts_));
    }
    std::vector<int32_t> counts = InFlightCounts();
    for (size_t i = 0; i < counts.size(); ++i) counts[i] -= before[i];
    return CheckCounts(counts, statement.expected);
  }

  // One request after another, each ended before the next.
  std::string Each(const Statement& statement) {
    std::map<std::string, int32_t> counts;
    for (const Endpoint& endpoint : pool_.endpoints) counts[endpoint.name] = 0;
    for (int i = std::stoi(statement.words[1]); i > 0; --i) {
      const std::string id = fmt::format("each {}", ++bursts_);
      ++counts[Dispatch(id, Numbered(statement.keys, bursts_))];
      End(id);
    }
    std::vector<int32_t> values;
    for (const auto& [name, count] : counts) values.push_back(count);
    return CheckCounts(values, statement.expected);
  }

  // "prompt=Line+U*": each request has a text U of its own.
  static std::map<std::string, std::string> Numbered(std::map<std::string, std::string> keys,
                                                     int number) {
    std::string& prompt = keys["prompt"];
    const size_t star = prompt.find('*');
    if (star != std::string::npos) prompt.replace(star, 1, std::to_string(number));
    return keys;
  }

  std::string CheckSpread(const std::string& expected) {
    return CheckCounts(InFlightCounts(), expected);
  }

  static std::string CheckCounts(const std::vector<int32_t>& counts, const std::string& expected) {
    const std::vector<std::string> words = SplitBy(expected, ' ');
    if (words.size() != 2) return "expected: at-most N or at-least N";
    const int limit = std::stoi(words[1]);
    for (int32_t count : counts) {
      if (words[0] == "at-most" ? count > limit : count < limit) {
        return fmt::format("endpoints got {}", fmt::join(counts, ", "));
      }
    }
    return words[0] == "at-most" || words[0] == "at-least" ? "" : "not understood: " + expected;
  }

  std::string End(const std::string& id) {
    const auto it = in_flight_.find(id);
    if (it == in_flight_.end()) return id + " is not in flight";
    it->second.state->in_flight_requests -= 1;
    it->second.state->pending_prompt_tokens -= it->second.prompt_tokens;
    in_flight_.erase(it);
    return "";
  }

  // Routes one request and keeps it in flight, as exchange does. The endpoint's name, or "none".
  std::string Dispatch(const std::string& id, std::map<std::string, std::string> keys) {
    request_ = InferenceRequest{};
    request_.target_model = keys.contains("model") ? keys["model"] : "base";
    std::string text;
    for (const std::string& part : SplitBy(keys["prompt"], '+')) text += TextOf(part);
    request_.prompt_tokens_estimate = text.size() / 4;
    const PrefixOptions options;
    HashBlocks(text, PrefixSeed(request_.target_model, ""), options, &request_.prefix_blocks);
    std::vector<uint32_t> excluded;
    for (const std::string& name : SplitBy(keys["not"], ',')) excluded.push_back(Find(name)->slot);

    SampleEndpoints(pool_, request_, clock_.Now(), {.excluded = excluded}, &candidates_);
    const std::span<uint32_t> hits = candidates_.mutable_prefix_hit_blocks();
    index_->Match(request_.prefix_blocks, candidates_.slots(), hits);
    for (size_t i = 0; i < hits.size(); ++i) {
      candidates_.mutable_prefix_hit_tokens()[i] = static_cast<uint32_t>(options.TokensOf(hits[i]));
    }
    const Decision decision = profile_->Schedule(request_, &candidates_, random_, &scratch_);
    if (decision.endpoint == nullptr) return "none";

    EndpointState& state = *decision.endpoint->state;
    const InFlight in_flight{&state, static_cast<int64_t>(text.size() / 4)};
    state.in_flight_requests += 1;
    state.pending_prompt_tokens += in_flight.prompt_tokens;
    in_flight_[id] = in_flight;
    placed_[id] = decision.endpoint->name;
    index_->Insert(request_.prefix_blocks, state.slot);
    return decision.endpoint->name;
  }

  // "P1:200": 200 characters that belong to the name alone.
  static std::string TextOf(const std::string& part) {
    const size_t colon = part.find(':');
    const size_t chars =
        colon == std::string::npos ? kPromptChars : std::stoul(part.substr(colon + 1));
    uint64_t seed = 1;
    for (char c : part.substr(0, colon)) seed = seed * 131 + static_cast<unsigned char>(c);
    Random random(seed);
    std::string text;
    while (text.size() < chars) text += static_cast<char>('a' + random.Below(26));
    return text;
  }

  EndpointState* Find(const std::string& name) {
    for (const Endpoint& endpoint : pool_.endpoints) {
      if (endpoint.name == name) return endpoint.state.get();
    }
    return nullptr;
  }

  std::vector<int32_t> InFlightCounts() const {
    std::vector<int32_t> counts;
    for (const Endpoint& endpoint : pool_.endpoints) {
      counts.push_back(endpoint.state->in_flight_requests);
    }
    return counts;
  }

  // What each scorer gave each candidate of the last decision.
  std::string Explain() const {
    std::string text;
    for (size_t i = 0; i < candidates_.size(); ++i) {
      text += fmt::format("  {} = {:.3f}:", candidates_.endpoints()[i]->name, scratch_.totals[i]);
      for (size_t s = 0; s < profile_->scorers().size(); ++s) {
        text += fmt::format(" {} {:.3f}", profile_->scorers()[s].scorer->name(),
                            scratch_.scores[s * candidates_.size() + i]);
      }
      text += "\n";
    }
    return text;
  }

  ManualClock clock_;
  Random random_;
  Pool pool_;
  std::shared_ptr<const Profile> profile_;
  std::unique_ptr<PrefixIndex> index_;
  std::map<std::string, InFlight> in_flight_;
  std::map<std::string, std::string> placed_;  // request -> endpoint, kept beyond its end
  int bursts_ = 0;
  InferenceRequest request_;
  Candidates candidates_;
  SchedulingScratch scratch_;
};

// Returns the number of expectations met; 0 if one was not.
size_t RunStory(const std::filesystem::path& path, uint64_t seed) {
  Scenario scenario(seed);
  std::ifstream file(path);
  size_t met = 0;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    const Statement statement = Split(line);
    if (statement.words.empty()) continue;
    const std::string wrong = scenario.Execute(statement);
    if (!wrong.empty()) {
      ADD_FAILURE_AT(path.c_str(), number) << line << "\n" << wrong << "  (seed " << seed << ")";
      return 0;
    }
    if (!statement.expected.empty() || statement.words[0] == "spread") ++met;
  }
  return met;
}

TEST(Scenario, EveryStoryEndsAsItSays) {
  size_t stories = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(PENSTOCK_SOURCE_DIR "/test/scenario")) {
    if (entry.path().extension() != ".txt") continue;
    ++stories;
    // Chance decides ties, so what a story says must hold whichever way they fall.
    size_t met = 1;
    for (uint64_t seed = 1; seed <= 20 && met > 0; ++seed) met = RunStory(entry.path(), seed);
    EXPECT_GT(met, 0u) << entry.path() << " fails, or expects nothing";
  }
  EXPECT_GE(stories, 10u);
}

}  // namespace
}  // namespace gw
