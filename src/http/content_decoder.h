// Content codings (RFC 9110 section 8.4.1): gzip, deflate, br and zstd, several in a row if need
// be. Bytes in, bytes out, in slices: no call does more work than it is allowed, whatever the bytes
// are.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/head.h"

namespace gw::http {

enum class ContentCoding : uint8_t { kGzip, kDeflate, kBrotli, kZstd };

// What a server that decodes puts into Accept-Encoding.
inline constexpr std::string_view kContentCodings = "gzip, deflate, br, zstd";

// The codings that Content-Encoding names, in the order in which they were applied; "identity" is
// none. `unknown` is what is not known, or is one too many.
struct ContentCodings {
  static constexpr size_t codings_max = 4;
  std::vector<ContentCoding> applied;
  std::string unknown;
};
ContentCodings ReadContentEncoding(const HeaderList& headers);

namespace internal {
class DecodingStage;
}  // namespace internal

// Decodes one body. Not thread-safe.
class ContentDecoder {
 public:
  struct Limits {
    size_t bytes_max = 32u << 20;  // decoded, also between two codings
    // Decoded bytes for each coded one, once there are more than `ratio_free_bytes`.
    size_t ratio_max = 200;
    size_t ratio_free_bytes = 1u << 20;
  };
  enum class Outcome : uint8_t {
    kMore,      // `out` is full, or the call has worked enough: call again
    kNeedMore,  // everything given was used up
    kDone,      // and `last` said that there is no more
    kCorrupt,   // not that coding, cut, or followed by what is not
    kTooLarge,
    kRatio,
  };
  // How much one call reads and writes, in all stages together.
  static constexpr size_t kWorkMax = 128 * 1024;

  // REQUIRES: not empty
  ContentDecoder(std::span<const ContentCoding> applied, const Limits& limits);
  ~ContentDecoder();

  // Takes bytes away from the front of `in` and writes decoded ones into `out`, `*written` of them.
  // `last`: nothing follows behind `in`. After the last three outcomes the decoder is of no use.
  Outcome Decode(std::string_view* in, bool last, std::span<char> out, size_t* written);

 private:
  enum class Pull : uint8_t { kSome, kStarved, kStopped };
  Pull PullFrom(size_t stage, std::span<char> out, size_t* written);

  const Limits limits_;
  // The coding that was applied last comes first.
  std::vector<std::unique_ptr<internal::DecodingStage>> stages_;
  std::string_view in_;
  size_t work_left_ = 0;
  Outcome stopped_ = Outcome::kMore;  // why the last pull was
};

}  // namespace gw::http
