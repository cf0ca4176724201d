// Matching a request allocates nothing. The whole test program's operator new is replaced by one
// that counts per thread.

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "routing/route_table.h"
#include "routing/sticky.h"

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

namespace gw {
namespace {

TEST(Allocation, TheCounterCounts) {
  const size_t before = allocations;
  ::operator delete(::operator new(1));
  EXPECT_GT(allocations, before);
}

TEST(Allocation, MatchingAllocatesNothing) {
  auto rule = std::make_shared<RouteRule>();
  rule->destinations = {{.weight = 1}};
  rule->total_weight = 1;
  std::vector<RouteTable::Entry> entries;
  for (const char* hostname : {"*", "*.example.com", "a-rather-long-name.example.com"}) {
    RouteTable::Entry& entry = entries.emplace_back();
    entry.hostname = hostname;
    entry.match.path = "/v1/chat/completions";
    entry.match.headers = {{"x-environment", "a value too long for the small string"}};
    entry.rule = rule;
  }
  const auto table = RouteTable::Build(entries, {"*"});
  http::RequestHead head;
  head.method = "POST";
  head.headers.Add("X-Environment", "a value too long for the small string");
  Random random(1);
  const size_t before = allocations;
  for (const char* host :
       {"example.net", "B.Example.Com", "A-Rather-Long-Name.Example.Com", "127.0.0.1"}) {
    const RouteRule* found = table->Match(host, "/v1/chat/completions/x", "", head);
    ASSERT_EQ(found, rule.get()) << host;
    ASSERT_NE(found->Choose(random), nullptr);
  }
  EXPECT_EQ(allocations, before);
}

TEST(Allocation, StickinessAllocatesNothing) {
  RouteRule rule;
  rule.destinations = {{.weight = 1, .sticky_key = 1}, {.weight = 1, .sticky_key = 2}};
  rule.total_weight = 2;
  const StickyPolicy policies[] = {{StickyPolicy::By::kHeader, "x-user-id"},
                                   {StickyPolicy::By::kCookie, "version"},
                                   {StickyPolicy::By::kSession}};
  http::RequestHead head;
  head.headers.Add("X-User-Id", "a value too long for the small string");
  head.headers.Add("Cookie", "a=b; version=another value too long for the small string");
  const size_t before = allocations;
  for (const StickyPolicy& policy : policies) {
    const auto value = policy.Find(head, "an owner");
    ASSERT_TRUE(value);
    ASSERT_NE(rule.ChooseSticky(*value, [](const Destination&) { return true; }), nullptr);
  }
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace gw
