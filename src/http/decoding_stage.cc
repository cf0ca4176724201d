#include "http/decoding_stage.h"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>

#include "base/check.h"

namespace gw::http::internal {
namespace {

// The windows of the codings bound what a decoder holds: deflate 32 KiB, br 16 MiB, and zstd what
// RFC 9659 lets a sender use.
constexpr int kZstdWindowLog = 23;

void TakeFront(size_t bytes, std::string_view* in) { in->remove_prefix(bytes); }
void TakeFront(size_t bytes, std::span<char>* out) { *out = out->subspan(bytes); }

// gzip (RFC 1952), also several members in a row, and zlib's and raw deflate.
class InflateStage final : public DecodingStage {
 public:
  explicit InflateStage(ContentCoding coding) : coding_(coding) {
    if (coding == ContentCoding::kGzip) Init(15 + 16);
  }
  ~InflateStage() override {
    if (ready_) inflateEnd(&stream_);
  }

  bool Run(std::string_view* in, std::span<char>* out) override {
    while (!in->empty() && !ready_) ChooseFormat(in);
    if (!ready_) return true;
    while (true) {
      if (ended_) {
        if (in->empty()) return true;
        if (coding_ != ContentCoding::kGzip || inflateReset(&stream_) != Z_OK) return false;
        ended_ = false;
      }
      // The bytes that told the format come first.
      std::string_view start(start_, start_size_);
      std::string_view* from = start_size_ > 0 ? &start : in;
      const int result = Inflate(from, out);
      if (start_size_ > 0) {
        std::copy(start.begin(), start.end(), start_);
        start_size_ = start.size();
      }
      ended_ = result == Z_STREAM_END;
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) return false;
      if (out->empty() || (in->empty() && start_size_ == 0)) return true;
      if (result == Z_BUF_ERROR) return true;
    }
  }
  bool complete() const override { return ended_; }

 private:
  void Init(int window_bits) {
    CHECK(inflateInit2(&stream_, window_bits) == Z_OK);
    ready_ = true;
  }

  // "deflate" is zlib's format (RFC 1950), but some senders leave its frame out: told apart by the
  // two bytes of zlib's head, which are a multiple of 31 and begin no raw stream that an encoder
  // writes.
  void ChooseFormat(std::string_view* in) {
    start_[start_size_++] = in->front();
    in->remove_prefix(1);
    if (start_size_ < 2) return;
    const auto first = static_cast<unsigned char>(start_[0]);
    const auto second = static_cast<unsigned char>(start_[1]);
    const bool zlib = (first & 15) == 8 && first >> 4 <= 7 && (first * 256 + second) % 31 == 0;
    Init(zlib ? 15 : -15);
  }

  int Inflate(std::string_view* in, std::span<char>* out) {
    constexpr size_t kMost = 1u << 30;  // zlib counts in 32 bits
    const size_t in_bytes = std::min(in->size(), kMost);
    const size_t out_bytes = std::min(out->size(), kMost);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in->data()));
    stream_.avail_in = static_cast<uInt>(in_bytes);
    stream_.next_out = reinterpret_cast<Bytef*>(out->data());
    stream_.avail_out = static_cast<uInt>(out_bytes);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    TakeFront(in_bytes - stream_.avail_in, in);
    TakeFront(out_bytes - stream_.avail_out, out);
    return result;
  }

  const ContentCoding coding_;
  z_stream stream_ = {};
  bool ready_ = false;
  bool ended_ = false;
  char start_[2] = {};
  size_t start_size_ = 0;
};

class BrotliStage final : public DecodingStage {
 public:
  BrotliStage() : state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {
    CHECK(state_ != nullptr);
  }
  ~BrotliStage() override { BrotliDecoderDestroyInstance(state_); }

  bool Run(std::string_view* in, std::span<char>* out) override {
    if (BrotliDecoderIsFinished(state_)) return in->empty();
    size_t in_bytes = in->size();
    size_t out_bytes = out->size();
    auto* next_in = reinterpret_cast<const uint8_t*>(in->data());
    auto* next_out = reinterpret_cast<uint8_t*>(out->data());
    const BrotliDecoderResult result =
        BrotliDecoderDecompressStream(state_, &in_bytes, &next_in, &out_bytes, &next_out, nullptr);
    TakeFront(in->size() - in_bytes, in);
    TakeFront(out->size() - out_bytes, out);
    if (result == BROTLI_DECODER_RESULT_ERROR) return false;
    return result != BROTLI_DECODER_RESULT_SUCCESS || in->empty();
  }
  bool complete() const override { return BrotliDecoderIsFinished(state_); }

 private:
  BrotliDecoderState* const state_;
};

class ZstdStage final : public DecodingStage {
 public:
  ZstdStage() : context_(ZSTD_createDCtx()) {
    CHECK(context_ != nullptr);
    CHECK(!ZSTD_isError(ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kZstdWindowLog)));
  }
  ~ZstdStage() override { ZSTD_freeDCtx(context_); }

  bool Run(std::string_view* in, std::span<char>* out) override {
    while (!out->empty() && (!in->empty() || !drained_)) {
      ZSTD_inBuffer from{in->data(), in->size(), 0};
      ZSTD_outBuffer to{out->data(), out->size(), 0};
      const size_t result = ZSTD_decompressStream(context_, &to, &from);
      if (ZSTD_isError(result)) return false;
      TakeFront(from.pos, in);
      TakeFront(to.pos, out);
      drained_ = to.pos < to.size;
      if (from.pos == 0 && to.pos == 0) return true;
      at_frame_end_ = result == 0;
    }
    return true;
  }
  bool complete() const override { return at_frame_end_; }

 private:
  ZSTD_DCtx* const context_;
  bool at_frame_end_ = false;
  bool drained_ = true;  // it holds no output: asked again without input it would complain
};

}  // namespace

std::unique_ptr<DecodingStage> DecodingStage::New(ContentCoding coding) {
  if (coding == ContentCoding::kBrotli) return std::make_unique<BrotliStage>();
  if (coding == ContentCoding::kZstd) return std::make_unique<ZstdStage>();
  return std::make_unique<InflateStage>(coding);
}

}  // namespace gw::http::internal
