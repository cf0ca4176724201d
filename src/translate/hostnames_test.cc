#include "translate/hostnames.h"

#include <gtest/gtest.h>

namespace gw::internal {
namespace {

TEST(Hostnames, IntersectInEitherOrder) {
  const struct {
    const char* a;
    const char* b;
    const char* both;  // nullptr: nothing in common
  } kCases[] = {
      {"", "", ""},
      {"", "a.com", "a.com"},
      {"", "*.a.com", "*.a.com"},
      {"a.com", "a.com", "a.com"},
      {"a.com", "b.com", nullptr},
      {"*.a.com", "x.a.com", "x.a.com"},
      {"*.a.com", "x.y.a.com", "x.y.a.com"},
      {"*.a.com", "a.com", nullptr},
      {"*.a.com", "xa.com", nullptr},
      {"*.a.com", "*.a.com", "*.a.com"},
      {"*.a.com", "*.x.a.com", "*.x.a.com"},
      {"*.a.com", "*.b.com", nullptr},
      {"*.com", "*.a.com", "*.a.com"},
      {"*.a.com", "x.b.com", nullptr},
  };
  for (const auto& c : kCases) {
    const auto wanted = c.both ? std::optional<std::string>(c.both) : std::nullopt;
    EXPECT_EQ(Intersect(c.a, c.b), wanted) << c.a << " and " << c.b;
    EXPECT_EQ(Intersect(c.b, c.a), wanted) << c.b << " and " << c.a;
  }
}

}  // namespace
}  // namespace gw::internal
