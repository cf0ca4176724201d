// Any bytes as a chunked body: what ChunkDecoder accepts is what the slow decoder accepts.

#include "http/chunk_oracle.h"
#include "http/fuzz_util.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gw::http;
  const FuzzInput input(data, size);
  const Decoded decoded = Decode({input.bytes}, size);
  CHECK(Decode(input.Cut(), size) == decoded);
  const Decoded expected = ChunkOracle(input.bytes).Run();
  // An error is seen at its byte by the one, at the end of its line by the other.
  if (expected.last == H1Event::kEnd) CHECK(decoded == expected);
  if (expected.last == H1Event::kError) CHECK(decoded.last == H1Event::kError);
  if (expected.last == H1Event::kNeedMore) CHECK(decoded.last != H1Event::kEnd);
  return 0;
}
