#include "http/content_decoder.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "http/decoding_stage.h"

namespace gw::http {
namespace {

// Between two stages, and what one run of a stage is given: its work is bounded by this times what
// the coding can expand, or by its output.
constexpr size_t kBufferBytes = 16 * 1024;

std::optional<ContentCoding> CodingOf(std::string_view name) {
  if (EqualsIgnoreCase(name, "gzip") || EqualsIgnoreCase(name, "x-gzip")) {
    return ContentCoding::kGzip;
  }
  if (EqualsIgnoreCase(name, "deflate")) return ContentCoding::kDeflate;
  if (EqualsIgnoreCase(name, "br")) return ContentCoding::kBrotli;
  if (EqualsIgnoreCase(name, "zstd")) return ContentCoding::kZstd;
  return std::nullopt;
}

}  // namespace

ContentCodings ReadContentEncoding(const HeaderList& headers) {
  ContentCodings codings;
  for (const HeaderField& field : headers) {
    if (!EqualsIgnoreCase(field.name, "content-encoding")) continue;
    std::string_view list = field.value;
    while (!list.empty()) {
      const size_t comma = std::min(list.find(','), list.size());
      std::string_view name = list.substr(0, comma);
      list.remove_prefix(std::min(comma + 1, list.size()));
      const size_t first = name.find_first_not_of(" \t");
      if (first == std::string_view::npos) continue;
      name = name.substr(first, name.find_last_not_of(" \t") + 1 - first);
      if (EqualsIgnoreCase(name, "identity")) continue;
      const std::optional<ContentCoding> coding = CodingOf(name);
      if (coding && codings.applied.size() < ContentCodings::codings_max) {
        codings.applied.push_back(*coding);
      } else if (codings.unknown.empty()) {
        codings.unknown = name;
      }
    }
  }
  return codings;
}

ContentDecoder::ContentDecoder(std::span<const ContentCoding> applied, const Limits& limits)
    : limits_(limits) {
  CHECK(!applied.empty());
  for (size_t i = applied.size(); i-- > 0;) {
    stages_.push_back(internal::DecodingStage::New(applied[i]));
    if (i > 0) stages_.back()->buffer.resize(kBufferBytes);
  }
}

ContentDecoder::~ContentDecoder() = default;

ContentDecoder::Outcome ContentDecoder::Decode(std::string_view* in, bool last, std::span<char> out,
                                               size_t* written) {
  in_ = *in;
  work_left_ = kWorkMax;
  stopped_ = Outcome::kMore;
  *written = 0;
  Pull pull = Pull::kSome;
  while (pull == Pull::kSome && *written < out.size()) {
    size_t bytes = 0;
    pull = PullFrom(stages_.size() - 1, out.subspan(*written), &bytes);
    *written += bytes;
  }
  *in = in_;
  if (pull == Pull::kStopped) return stopped_;
  if (pull == Pull::kSome) return Outcome::kMore;
  if (!last) return Outcome::kNeedMore;
  const bool whole = std::all_of(stages_.begin(), stages_.end(),
                                 [](const auto& stage) { return stage->complete(); });
  return whole ? Outcome::kDone : Outcome::kCorrupt;
}

// Output of one stage: some of it, or none because there is no more input, or because a limit was
// reached, the bytes are corrupt, or the call has done enough.
ContentDecoder::Pull ContentDecoder::PullFrom(size_t index, std::span<char> out, size_t* written) {
  internal::DecodingStage& stage = *stages_[index];
  std::string_view& in = index == 0 ? in_ : stages_[index - 1]->pending;
  while (true) {
    if (work_left_ == 0) return Pull::kStopped;
    const std::string_view given = in.substr(0, kBufferBytes);
    std::string_view left = given;
    std::span<char> room = out;
    const bool good = stage.Run(&left, &room);
    const size_t read = given.size() - left.size();
    *written = out.size() - room.size();
    in.remove_prefix(read);
    stage.read += read;
    stage.written += *written;
    work_left_ -= std::min(work_left_, read + *written);
    if (!good) stopped_ = Outcome::kCorrupt;
    if (stage.written > limits_.bytes_max) stopped_ = Outcome::kTooLarge;
    const size_t coded = stages_[0]->read;
    if (stage.written > limits_.ratio_free_bytes && stage.written / limits_.ratio_max > coded) {
      stopped_ = Outcome::kRatio;
    }
    if (stopped_ != Outcome::kMore) return Pull::kStopped;
    if (*written > 0) return Pull::kSome;
    if (!in.empty() && read > 0) continue;
    if (!in.empty()) {
      // No stage reads nothing and writes nothing while it has both.
      stopped_ = Outcome::kCorrupt;
      return Pull::kStopped;
    }
    if (index == 0) return Pull::kStarved;
    internal::DecodingStage& before = *stages_[index - 1];
    size_t bytes = 0;
    const Pull pull = PullFrom(index - 1, before.buffer, &bytes);
    before.pending = std::string_view(before.buffer.data(), bytes);
    if (pull != Pull::kSome) return pull;
  }
}

}  // namespace gw::http
