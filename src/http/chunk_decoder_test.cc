#include <gtest/gtest.h>

#include "http/chunk_oracle.h"
#include "http/http_test_util.h"

namespace gw::http {
namespace {

std::string RandomBody(Random* random) {
  std::string body;
  const uint64_t chunks = random->Below(6);
  for (uint64_t i = 0; i < chunks; ++i) {
    std::string data;
    const uint64_t size = 1 + random->Below(40);
    for (uint64_t j = 0; j < size; ++j) data += static_cast<char>(random->Below(256));
    char line[40];
    std::snprintf(line, sizeof(line), random->Below(2) == 0 ? "%zx" : "%04zX", data.size());
    body += line;
    if (random->Below(4) == 0) body += ";name=\"value\"";
    body += "\r\n" + data + "\r\n";
  }
  body += random->Below(3) == 0 ? "000" : "0";
  body += "\r\n";
  if (random->Below(3) == 0) body += "Trailer-One: a\tb\r\nx:\r\n";
  body += "\r\n";
  if (random->Below(2) == 0) body += "GET / HTTP/1.1\r\n";
  return body;
}

void Mutate(std::string* bytes, Random* random) {
  constexpr std::string_view kAlphabet = "\r\n\r\n 0;:aA1f\t\x7f-+x\"\0z";
  const uint64_t edits = 1 + random->Below(2);
  for (uint64_t i = 0; i < edits && !bytes->empty(); ++i) {
    const size_t at = random->Below(bytes->size());
    const char c = kAlphabet[random->Below(kAlphabet.size())];
    switch (random->Below(4)) {
      case 0:
        bytes->erase(at, 1 + random->Below(3));
        break;
      case 1:
        bytes->insert(at, 1, c);
        break;
      case 2:
        (*bytes)[at] = c;
        break;
      default:
        bytes->resize(at);
    }
  }
}

TEST(ChunkDecoder, AgreesWithTheOracleOnValidBodies) {
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    Random random(seed);
    const std::string body = RandomBody(&random);
    const Decoded expected = ChunkOracle(body).Run();
    ASSERT_EQ(expected.last, H1Event::kEnd) << seed;
    EXPECT_EQ(Decode({body}), expected) << seed;
    EXPECT_EQ(Decode(CutInBytes(body)), expected) << seed;
    EXPECT_EQ(Decode(CutAtRandom(body, 20, &random)), expected) << seed;
  }
}

// The decoder sees an error at its byte and the oracle at the end of its line: a cut input may be
// an error for the one and unfinished for the other, as long as no continuation is accepted.
TEST(ChunkDecoder, AgreesWithTheOracleOnDamagedBodies) {
  size_t refused = 0;
  size_t accepted = 0;
  for (uint64_t seed = 0; seed < 20000; ++seed) {
    Random random(seed);
    std::string body = RandomBody(&random);
    Mutate(&body, &random);
    const Decoded expected = ChunkOracle(body).Run();
    const Decoded decoded = Decode({body});
    EXPECT_EQ(decoded, Decode(CutAtRandom(body, 9, &random))) << seed;
    if (expected.last == H1Event::kEnd) {
      ++accepted;
      EXPECT_EQ(decoded, expected) << seed;
    } else {
      EXPECT_NE(decoded.last, H1Event::kEnd) << seed;
      if (expected.last == H1Event::kError) {
        ++refused;
        EXPECT_EQ(decoded.last, H1Event::kError) << seed;
      }
      EXPECT_EQ(decoded.data, expected.data.substr(0, decoded.data.size())) << seed;
    }
  }
  EXPECT_GT(refused, 3000u);
  EXPECT_GT(accepted, 3000u);
}

TEST(ChunkDecoder, RefusesOddSizes) {
  for (const char* size : {"", " 5", "5 ", "+5", "-5", "0x5", "5x", "5\t", "g", "5_0", "5.", "\t5",
                           "00000000000000005", "10000000000000000"}) {
    EXPECT_EQ(Decode({std::string(size) + "\r\nhello\r\n0\r\n\r\n"}).last, H1Event::kError) << size;
  }
  EXPECT_EQ(Decode({"0000000000000005\r\nhello\r\n0\r\n\r\n"}).data, "hello");
  EXPECT_EQ(Decode({"ffffffffffffffff\r\nhello"}).data, "hello");
}

TEST(ChunkDecoder, BoundsExtensionsAndTrailersTogether) {
  const std::string ten = "123456789";  // with the semicolon
  std::string body = "1;" + ten + "\r\na\r\n1;" + ten + "\r\nb\r\n0\r\nx: 34567890\r\n\r\n";
  EXPECT_EQ(Decode({body}, 31).last, H1Event::kEnd);
  EXPECT_EQ(Decode({body}, 30).last, H1Event::kError);
  EXPECT_EQ(Decode({"1;" + std::string(100000, 'x')}).last, H1Event::kError);
  EXPECT_EQ(Decode({"0\r\nx:" + std::string(100000, 'x')}).last, H1Event::kError);
}

TEST(ChunkDecoder, SizesAndDataAreNotOverhead) {
  std::string body;
  for (int i = 0; i < 10000; ++i) body += "0001\r\na\r\n";
  EXPECT_EQ(Decode({body + "0\r\n\r\n"}, 0).data, std::string(10000, 'a'));
}

TEST(ChunkDecoder, DataIsAViewIntoTheInput) {
  ChunkDecoder decoder;
  const std::string in = "5\r\nhello\r\n";
  EXPECT_EQ(decoder.Next(in).body.data(), in.data() + 3);
}

TEST(ChunkDecoder, ResetReadiesItForAnotherBody) {
  ChunkDecoder decoder;
  decoder.Next("zz");
  EXPECT_EQ(decoder.Next("0\r\n\r\n").event, H1Event::kError);
  decoder.Reset();
  EXPECT_TRUE(decoder.at_boundary());
  EXPECT_EQ(decoder.Next("0\r\n\r\n").event, H1Event::kEnd);
  EXPECT_FALSE(decoder.at_boundary());
}

TEST(ChunkDecoder, TrailersAreFieldsHoweverTheyAreSplit) {
  const std::string text =
      "2\r\nhi\r\n0\r\nX-Sum: 7\r\nempty:\r\nspaced: \t a b \t\r\nx-url: http://a:1/\r\n\r\n";
  for (size_t split = 0; split <= text.size(); ++split) {
    ChunkDecoder decoder;
    std::string body;
    H1Event last = H1Event::kNeedMore;
    for (std::string_view in :
         {std::string_view(text).substr(0, split), std::string_view(text).substr(split)}) {
      for (;;) {
        const H1Step step = decoder.Next(in);
        in.remove_prefix(step.consumed);
        body += step.body;
        last = step.event;
        if (last != H1Event::kBody) break;
      }
    }
    ASSERT_EQ(last, H1Event::kEnd) << split;
    EXPECT_EQ(body, "hi");
    std::string fields;
    for (const HeaderField& field : decoder.trailers()) {
      fields.append(field.name).append("=").append(field.value).append(";");
    }
    EXPECT_EQ(fields, "X-Sum=7;empty=;spaced=a b;x-url=http://a:1/;") << split;
    decoder.Reset();
    EXPECT_EQ(decoder.trailers().size(), 0u);
  }
}

}  // namespace
}  // namespace gw::http
