// Nothing is allocated per message once a connection's buffers have grown. The whole test program's
// operator new is replaced by one that counts per thread.

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "http/h1_parser.h"
#include "http/h1_writer.h"

namespace {
thread_local size_t allocations = 0;
}  // namespace

// The pair below matches itself; inlined, it looks to the compiler as if it did not.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace gw::http {
namespace {

// Runs `step` twenty times and counts what all but the first two allocate.
template <typename Step>
size_t AllocationsOf(Step step) {
  size_t before = 0;
  for (int i = 0; i < 20; ++i) {
    if (i == 2) before = allocations;
    step();
  }
  return allocations - before;
}

TEST(Allocation, TheCounterCounts) {
  EXPECT_EQ(AllocationsOf([] { ::operator delete(::operator new(1)); }), 18u);
}

TEST(Allocation, RequestsInPiecesAllocateNothing) {
  constexpr std::string_view kRequest =
      "POST /v1/completions HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 5\r\n"
      "Authorization: Bearer 0123456789012345678901234567890123456789\r\n\r\nhello";
  RequestParser parser;
  std::string head;
  EXPECT_EQ(AllocationsOf([&] {
              parser.Next(kRequest.substr(0, 60));
              parser.Next(kRequest.substr(60, kRequest.size() - 65));
              head.clear();
              const HopByHopFields hop_by_hop(parser.head().headers);
              for (const HeaderField& field : parser.head().headers) {
                if (!hop_by_hop.Contains(field.name)) AppendHeader(&head, field.name, field.value);
              }
              ASSERT_EQ(parser.Next("hello").body, "hello");
              ASSERT_EQ(parser.Next("").event, H1Event::kEnd);
              parser.Reset();
            }),
            0u);
}

TEST(Allocation, StreamedResponsesAllocateNothing) {
  constexpr std::string_view kPieces[] = {
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nserver: uvicorn\r\n\r\n",
      "30\r\ndata: an event that does not fit a short string\n", "\r\n", "1\r\n\n\r\n0\r\n\r\n"};
  ResponseParser parser;
  EXPECT_EQ(AllocationsOf([&] {
              size_t bytes = 0;
              H1Step step;
              for (std::string_view piece : kPieces) {
                do {
                  step = parser.Next(piece);
                  piece.remove_prefix(step.consumed);
                  bytes += step.body.size();
                } while (step.event == H1Event::kHead || step.event == H1Event::kBody);
              }
              ASSERT_EQ(step.event, H1Event::kEnd);
              ASSERT_EQ(bytes, 49u);
              parser.Reset(false);
            }),
            0u);
}

}  // namespace
}  // namespace gw::http
