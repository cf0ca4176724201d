#include "bench/load/trace_file.h"

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "http/content_decoder.h"

namespace gw::bench {
namespace {

absl::StatusOr<std::string> Decompressed(const std::string& path, std::string_view coded) {
  using Outcome = http::ContentDecoder::Outcome;
  // Whoever names a file means it: however well it was compressed, only its length counts.
  constexpr size_t kRatioMax = 1'000'000;
  const std::array applied{http::ContentCoding::kZstd};
  http::ContentDecoder decoder(applied, {.bytes_max = kTraceBytesMax, .ratio_max = kRatioMax});
  std::string text;
  std::string slice(http::ContentDecoder::kWorkMax, '\0');
  Outcome outcome = Outcome::kMore;
  while (outcome == Outcome::kMore) {
    size_t written = 0;
    outcome = decoder.Decode(&coded, true, slice, &written);
    text.append(slice, 0, written);
  }
  if (outcome == Outcome::kDone) return text;
  return absl::InvalidArgumentError(fmt::format("{} is {}; decompress it first: zstd -d {}", path,
                                                outcome == Outcome::kCorrupt
                                                    ? "broken, or has a window that is too large"
                                                    : "too large to be read as it is",
                                                path));
}

}  // namespace

absl::StatusOr<std::unique_ptr<std::istream>> OpenTrace(const std::string& path) {
  auto file = std::make_unique<std::ifstream>(path, std::ios::binary);
  if (!*file) return absl::NotFoundError(path + " cannot be read");
  if (!path.ends_with(".zst")) return file;
  const std::string coded{std::istreambuf_iterator<char>(*file), std::istreambuf_iterator<char>()};
  ASSIGN_OR_RETURN(std::string text, Decompressed(path, coded));
  return std::make_unique<std::istringstream>(std::move(text));
}

}  // namespace gw::bench
