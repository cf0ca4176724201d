#include "dataplane/held_bytes.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

TEST(HeldBytes, WhatOneConnectionMayKeepIsNotCounted) {
  HeldBytes all(1000);
  HeldBytes::Share share(all);
  EXPECT_TRUE(share.Grow(HeldBytes::Share::kFreeBytes));
  EXPECT_EQ(all.held(), 0);
  EXPECT_TRUE(share.Grow(HeldBytes::Share::kFreeBytes + 10));
  EXPECT_EQ(all.held(), 10);
}

TEST(HeldBytes, TheLimitIsOneForAll) {
  HeldBytes all(1000);
  HeldBytes::Share first(all);
  EXPECT_TRUE(first.Grow(HeldBytes::Share::kFreeBytes + 600));
  {
    HeldBytes::Share second(all);
    EXPECT_FALSE(second.Grow(HeldBytes::Share::kFreeBytes + 401));
    EXPECT_EQ(all.held(), 600);
    EXPECT_TRUE(second.Grow(HeldBytes::Share::kFreeBytes + 400));
    EXPECT_TRUE(all.full());
    EXPECT_FALSE(all.over());
    EXPECT_FALSE(first.Grow(HeldBytes::Share::kFreeBytes + 601));
    second.Set(HeldBytes::Share::kFreeBytes + 500);  // an answer that is under way
    EXPECT_TRUE(all.over());
    EXPECT_TRUE(second.Grow(HeldBytes::Share::kFreeBytes + 450));  // less is always possible
  }
  EXPECT_EQ(all.held(), 600);
  EXPECT_TRUE(first.Grow(0));
  EXPECT_EQ(all.held(), 0);
}

}  // namespace
}  // namespace gw
