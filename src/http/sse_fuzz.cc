// Any bytes as an event stream: SseScanner finds what the slow scanner finds, however they are cut.

#include "http/fuzz_util.h"
#include "http/sse_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gw::http;
  const FuzzInput input(data, size);
  const size_t event_bytes_max = input.seed % 3 == 0 ? input.seed : size;
  const Scanned expected = SseOracle(input.bytes, event_bytes_max);
  CHECK(Scan({input.bytes}, event_bytes_max) == expected);
  CHECK(Scan(input.Cut(), event_bytes_max) == expected);
  return 0;
}
