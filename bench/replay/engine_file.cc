#include "bench/replay/engine_file.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "base/status.h"

namespace gw::bench {
namespace {

using sim::ServerSpec;

absl::Status Wrong(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

constexpr double kTimeMax = 1e9;
constexpr double kCountMax = 1e9;
// Each takes memory in a replay, in use or not: some hundred MB for so many.
constexpr double kBlocksMax = 1e7;

struct TimeField {
  const char* name;
  double sim::StepTimer::* member;
};
constexpr TimeField kTimes[] = {
    {"h_us", &sim::StepTimer::h_us},       {"hseq_us", &sim::StepTimer::hseq_us},
    {"w0_us", &sim::StepTimer::w0_us},     {"w1_us", &sim::StepTimer::w1_us},
    {"wsat_us", &sim::StepTimer::wsat_us}, {"nsat", &sim::StepTimer::nsat},
    {"c0_us", &sim::StepTimer::c0_us},     {"c_us", &sim::StepTimer::c_us},
    {"kv_ns", &sim::StepTimer::kv_ns},     {"at_ns", &sim::StepTimer::at_ns}};

struct CountField {
  const char* name;
  uint32_t ServerSpec::* member;
};
constexpr CountField kCounts[] = {{"block_tokens", &ServerSpec::block_tokens},
                                  {"kv_blocks", &ServerSpec::kv_blocks},
                                  {"sequences_max", &ServerSpec::sequences_max},
                                  {"batch_tokens_max", &ServerSpec::batch_tokens_max}};

std::string PresetNames() { return fmt::format("{}", fmt::join(sim::ServerSpecNames(), ", ")); }

absl::StatusOr<std::string> TextIn(simdjson::dom::element value, std::string_view field) {
  std::string_view text;
  if (value.get(text) || text.empty()) return Wrong(fmt::format("{}: wanted a text", field));
  return std::string(text);
}

absl::StatusOr<double> NumberIn(simdjson::dom::element value, std::string_view field, double least,
                                double most) {
  double number = 0;
  if (!value.get(number) && number >= least && number <= most) return number;
  return Wrong(fmt::format("{}: wanted a number from {:g} to {:g}", field, least, most));
}

absl::Status SetField(std::string_view field, simdjson::dom::element value, ServerSpec* spec) {
  for (const TimeField& known : kTimes) {
    if (field != known.name) continue;
    const double least = field == "nsat" ? 1e-3 : 0;
    ASSIGN_OR_RETURN(spec->timer.*known.member, NumberIn(value, field, least, kTimeMax));
    return absl::OkStatus();
  }
  for (const CountField& known : kCounts) {
    if (field != known.name) continue;
    ASSIGN_OR_RETURN(const double count, NumberIn(value, field, 1, kCountMax));
    spec->*known.member = static_cast<uint32_t>(count);
    return absl::OkStatus();
  }
  return Wrong(fmt::format("{}: no field of an engine", field));
}

size_t CountOf(const std::vector<ServerSpec>& engines, size_t from) {
  size_t count = 0;
  while (from + count < engines.size() && engines[from + count].name == engines[from].name) ++count;
  return count;
}

}  // namespace

absl::StatusOr<ServerSpec> ReadEngine(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(simdjson::padded_string(json)).get(object)) return Wrong("wanted a JSON object");
  ServerSpec spec{.name = "own"};
  simdjson::dom::element preset;
  if (!object["preset"].get(preset)) {
    ASSIGN_OR_RETURN(const std::string name, TextIn(preset, "preset"));
    const std::optional<ServerSpec> known = sim::FindServerSpec(name);
    if (!known) return Wrong(fmt::format("preset: wanted one of {}", PresetNames()));
    spec = *known;
    spec.name = "own";
  }
  std::optional<double> kv_tokens;
  for (const auto& [field, value] : object) {
    if (field == "preset") continue;
    if (field == "name") {
      ASSIGN_OR_RETURN(spec.name, TextIn(value, field));
    } else if (field == "kv_tokens") {
      ASSIGN_OR_RETURN(kv_tokens, NumberIn(value, field, 1, kCountMax));
    } else {
      RETURN_IF_ERROR(SetField(field, value, &spec));
    }
  }
  if (kv_tokens) spec.kv_blocks = static_cast<uint32_t>(*kv_tokens / spec.block_tokens);
  if (spec.kv_blocks > kBlocksMax) {
    return Wrong(fmt::format("wanted at most {:g} KV blocks, got {}", kBlocksMax, spec.kv_blocks));
  }
  if (spec.kv_blocks == 0) return Wrong("kv_tokens: wanted what its cache has room for");
  return spec;
}

absl::StatusOr<std::vector<ServerSpec>> EnginesOf(std::string_view text, size_t engines,
                                                  const std::vector<ServerSpec>& own,
                                                  double cache_scale) {
  std::vector<ServerSpec> all;
  const bool counted = text.find(':') != text.npos;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    const std::string_view name = one.substr(0, one.find(':'));
    const auto named = std::ranges::find(own, name, &ServerSpec::name);
    std::optional<ServerSpec> spec =
        named == own.end() ? sim::FindServerSpec(name) : std::optional<ServerSpec>(*named);
    if (!spec) {
      return Wrong(fmt::format("--engine: wanted one of {}, got \"{}\"", PresetNames(), name));
    }
    uint64_t count = engines;
    if (counted && (one.size() == name.size() ||
                    !absl::SimpleAtoi(std::string(one.substr(name.size() + 1)), &count))) {
      return Wrong(
          fmt::format("--engine: wanted PRESET:NUMBER,... or one PRESET, got \"{}\"", one));
    }
    if (count > engines - std::min(engines, all.size())) {
      return Wrong("--engine: more in all than --engines");
    }
    const double blocks = spec->kv_blocks * cache_scale;
    if (blocks > kBlocksMax) {
      return Wrong(
          fmt::format("--cache-scale: wanted at most {:g} KV blocks in an engine, got {:g}",
                      kBlocksMax, blocks));
    }
    spec->kv_blocks = static_cast<uint32_t>(std::max(blocks, 1.0));
    all.insert(all.end(), count, *spec);
  }
  if (all.size() != engines) return Wrong("--engine: not as many in all as --engines");
  return all;
}

std::string DescribeEngines(const std::vector<ServerSpec>& engines) {
  std::vector<std::string> parts;
  for (size_t at = 0; at < engines.size(); at += CountOf(engines, at)) {
    parts.push_back(fmt::format("{} x {}", CountOf(engines, at), engines[at].name));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace gw::bench
