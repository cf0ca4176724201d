#include "http/content_decoder.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <fstream>
#include <iterator>

#include "base/random.h"

namespace gw::http {
namespace {

using Outcome = ContentDecoder::Outcome;
constexpr ContentCoding kGzip = ContentCoding::kGzip;
constexpr ContentCoding kDeflate = ContentCoding::kDeflate;
constexpr ContentCoding kBrotli = ContentCoding::kBrotli;
constexpr ContentCoding kZstd = ContentCoding::kZstd;

std::string Recorded(const std::string& name) {
  std::ifstream file(PENSTOCK_SOURCE_DIR "/test/data/coding/" + name, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << name;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// `window_bits` as in zlib: 31 for gzip, 15 for zlib, -15 for raw deflate.
std::string Deflated(std::string_view text, int window_bits, int level = 6) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, level, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string Zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

struct Decoded {
  Outcome outcome = Outcome::kMore;
  std::string text;
  size_t calls = 0;
};

// Gives the bytes in two parts and takes them in slices of `room`.
Decoded Decode(std::string_view coded, std::vector<ContentCoding> codings, size_t cut = 0,
               size_t room = 8192, const ContentDecoder::Limits& limits = {}) {
  ContentDecoder decoder(codings, limits);
  Decoded decoded;
  std::string slice(room, '\0');
  for (std::string_view part : {coded.substr(0, cut), coded.substr(cut)}) {
    const bool last = part.data() + part.size() == coded.data() + coded.size();
    do {
      size_t written = 0;
      decoded.outcome = decoder.Decode(&part, last, slice, &written);
      decoded.text.append(slice, 0, written);
      ++decoded.calls;
    } while (decoded.outcome == Outcome::kMore);
    if (decoded.outcome != Outcome::kNeedMore) return decoded;
    EXPECT_TRUE(part.empty());
  }
  return decoded;
}

TEST(ContentEncoding, NamesAreReadInOrderAndWithoutCase) {
  const auto read = [](std::initializer_list<std::string_view> values) {
    HeaderList headers;
    for (std::string_view value : values) headers.Add("Content-Encoding", value);
    return ReadContentEncoding(headers);
  };
  using List = std::vector<ContentCoding>;
  EXPECT_EQ(read({"GZip"}).applied, List{kGzip});
  EXPECT_EQ(read({"x-gzip"}).applied, List{kGzip});
  EXPECT_EQ(read({" deflate , br", "zstd"}).applied, (List{kDeflate, kBrotli, kZstd}));
  EXPECT_EQ(read({"identity, ,gzip,"}).applied, List{kGzip});
  EXPECT_TRUE(read({}).applied.empty());
  EXPECT_TRUE(read({"", "identity"}).unknown.empty());
  EXPECT_EQ(read({"gzip, compress, pack"}).unknown, "compress");
  EXPECT_EQ(read({"gzip, gzip, gzip, gzip, br"}).unknown, "br");
}

struct Vector {
  const char* name;
  std::vector<ContentCoding> codings;
};
const Vector kVectors[] = {
    {"chat.json.gz", {kGzip}},         {"chat.json.zlib", {kDeflate}},
    {"chat.json.deflate", {kDeflate}}, {"chat.json.br", {kBrotli}},
    {"chat.json.zst", {kZstd}},        {"chat.json.zst.br", {kZstd, kBrotli}}};

TEST(ContentDecoder, WhatOtherProgramsWroteIsReadWhereverItIsCut) {
  const std::string text = Recorded("chat.json");
  for (const Vector& vector : kVectors) {
    SCOPED_TRACE(vector.name);
    const std::string coded = Recorded(vector.name);
    for (size_t cut = 0; cut <= coded.size(); ++cut) {
      const Decoded decoded = Decode(coded, vector.codings, cut);
      ASSERT_EQ(decoded.outcome, Outcome::kDone) << cut;
      ASSERT_EQ(decoded.text, text) << cut;
    }
    EXPECT_EQ(Decode(coded, vector.codings, 0, 1).text, text);
  }
}

TEST(ContentDecoder, WhatIsCutShortOrHasAnEndTooManyIsCorrupt) {
  for (const Vector& vector : kVectors) {
    SCOPED_TRACE(vector.name);
    const std::string coded = Recorded(vector.name);
    for (size_t size = 0; size < coded.size(); ++size) {
      ASSERT_EQ(Decode(coded.substr(0, size), vector.codings).outcome, Outcome::kCorrupt) << size;
    }
    EXPECT_EQ(Decode(coded + "x", vector.codings).outcome, Outcome::kCorrupt);
    EXPECT_EQ(Decode(coded + "more than one byte", vector.codings).outcome, Outcome::kCorrupt);
    EXPECT_EQ(Decode("{\"model\":\"m\"}", vector.codings).outcome, Outcome::kCorrupt);
  }
}

TEST(ContentDecoder, OurOwnCompressorsAreUndone) {
  Random random(1);
  for (const size_t size : {0, 1, 2, 100, 5000, 70000, 300001}) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>('a' + random.Below(size % 2 == 0 ? 26 : 2));
    const std::pair<std::string, std::vector<ContentCoding>> all[] = {
        {Deflated(text, 31), {kGzip}},
        {Deflated(text, 15), {kDeflate}},
        {Deflated(text, -15), {kDeflate}},
        {Deflated(text, 31, 0), {kGzip}},
        {Zstd(text), {kZstd}},
        {Deflated(Zstd(Deflated(text, 31)), 15), {kGzip, kZstd, kDeflate}},
        {Deflated(text, 31) + Deflated(text, 31, 1), {kGzip}},
        {Zstd(text) + Zstd(text), {kZstd}},
    };
    for (size_t i = 0; i < std::size(all); ++i) {
      SCOPED_TRACE(testing::Message() << size << " bytes, " << i);
      const std::string expected = i < 6 ? text : text + text;
      const auto& [coded, codings] = all[i];
      for (int round = 0; round < 5; ++round) {
        const Decoded decoded =
            Decode(coded, codings, random.Below(coded.size() + 1), 1 + random.Below(100000));
        ASSERT_EQ(decoded.outcome, Outcome::kDone);
        ASSERT_EQ(decoded.text == expected, true);
      }
    }
  }
}

TEST(ContentDecoder, BytesAreLimitedAlsoBetweenTwoCodings) {
  const std::string text = Recorded("chat.json");
  ContentDecoder::Limits limits;
  limits.bytes_max = text.size();
  for (const Vector& vector : kVectors) {
    EXPECT_EQ(Decode(Recorded(vector.name), vector.codings, 0, 8192, limits).outcome,
              Outcome::kDone);
  }
  limits.bytes_max = text.size() - 1;
  for (const Vector& vector : kVectors) {
    EXPECT_EQ(Decode(Recorded(vector.name), vector.codings, 0, 8192, limits).outcome,
              Outcome::kTooLarge);
  }
  // Nothing comes out at the end, but what lies between is as large as anything else.
  std::string empty_members;
  const std::string member = Deflated("", 31);
  for (int i = 0; i < 1000; ++i) empty_members += member;
  limits.bytes_max = empty_members.size() - 1;
  EXPECT_EQ(Decode(Zstd(empty_members), {kGzip, kZstd}, 0, 8192, limits).outcome,
            Outcome::kTooLarge);
  limits.bytes_max = empty_members.size();
  EXPECT_EQ(Decode(Zstd(empty_members), {kGzip, kZstd}, 0, 8192, limits).outcome, Outcome::kDone);
}

TEST(ContentDecoder, WhatGrowsTooMuchIsStoppedEarly) {
  const std::string zeros(20 << 20, '\0');
  for (const auto& [coded, coding] :
       {std::pair(Deflated(zeros, 31, 9), kGzip), std::pair(Zstd(zeros), kZstd)}) {
    const Decoded decoded = Decode(coded, {coding});
    EXPECT_EQ(decoded.outcome, Outcome::kRatio);
    EXPECT_LT(decoded.text.size(), 5u << 20);
  }
  // Below a MiB nothing is a bomb.
  const Decoded small = Decode(Deflated(std::string(1 << 20, 'x'), 31, 9), {kGzip});
  EXPECT_EQ(small.outcome, Outcome::kDone);
  // And what is hard to compress may grow as large as the limit on bytes says.
  EXPECT_EQ(Decode(Deflated(zeros, 31, 0), {kGzip}).outcome, Outcome::kDone);
}

TEST(ContentDecoder, NoCallWorksForLongWhateverComesOfIt) {
  std::string empty_frames;
  const std::string frame = Zstd("");
  for (int i = 0; i < 200000; ++i) empty_frames += frame;
  const Decoded decoded = Decode(empty_frames, {kZstd});
  EXPECT_EQ(decoded.outcome, Outcome::kDone);
  EXPECT_GE(decoded.calls, empty_frames.size() / ContentDecoder::kWorkMax);
}

}  // namespace
}  // namespace gw::http
