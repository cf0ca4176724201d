#include "bench/load/svg_plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace gw::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(NiceStep, IsTheNextOfOneTwoFive) {
  EXPECT_DOUBLE_EQ(NiceStep(1), 1);
  EXPECT_DOUBLE_EQ(NiceStep(1.01), 2);
  EXPECT_DOUBLE_EQ(NiceStep(3), 5);
  EXPECT_DOUBLE_EQ(NiceStep(6), 10);
  EXPECT_DOUBLE_EQ(NiceStep(0.03), 0.05);
  EXPECT_DOUBLE_EQ(NiceStep(20), 20);
}

TEST(HtmlEscaped, NothingIsMarkupOrControl) {
  EXPECT_EQ(HtmlEscaped("<a href=\"x\">&'\x1b"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;\\u001b");
}

TEST(SvgPlot, PointsStandWhereTheAxesSay) {
  const std::string svg = SvgPlot({"t", "x", "y", false, {{"line", {{0, 0}, {10, 6}}}}});
  // From the left end of the bottom to the top of the right: 66..624 and 254..12.
  EXPECT_THAT(svg, HasSubstr("d=\"M66.0 254.0h0L624.0 12.0\""));
  EXPECT_THAT(svg, HasSubstr(">10</text>"));
  EXPECT_THAT(svg, HasSubstr(">6</text>"));
}

TEST(SvgPlot, LogarithmicAxesGiveEachDecadeTheSameWidth) {
  const std::string svg =
      SvgPlot({"t", "x", "y", true, {{"line", {{0, 1}, {1, 1}, {10, 1}, {100, 1}}}}});
  EXPECT_THAT(svg, HasSubstr("d=\"M66.0 12.0h0L345.0 12.0L624.0 12.0\""));
}

TEST(SvgPlot, WhatIsNoNumberInterruptsTheLine) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  const std::string svg = SvgPlot({"t", "x", "y", false, {{"line", {{0, 1}, {1, none}, {2, 1}}}}});
  EXPECT_THAT(svg, HasSubstr("d=\"M66.0 12.0h0M624.0 12.0h0\""));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(SvgPlot, AShortLogarithmicAxisHasTicksAsWell) {
  const std::string svg = SvgPlot({"t", "x", "y", true, {{"line", {{12, 1}, {29, 1}}}}});
  for (const char* tick : {">15<", ">20<", ">25<"}) EXPECT_THAT(svg, HasSubstr(tick));
}

TEST(SvgPlot, ALineThatIsInterruptedAtItsEndHasItsWholeAxis) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(SvgPlot({"t", "x", "y", false, {{"line", {{0, 1}, {50, 1}, {100, none}}}}}),
              HasSubstr("d=\"M66.0 12.0h0L345.0 12.0\""));
}

TEST(SvgPlot, NothingToDrawIsNothing) {
  EXPECT_EQ(SvgPlot({"t", "x", "y"}), "");
  EXPECT_EQ(SvgPlot({"t", "x", "y", true, {{"line", {{0, 1}}}}}), "");
  const double none = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(SvgPlot({"t", "x", "y", false, {{"line", {{0, none}}}}}), "");
}

TEST(SvgPlot, OnePointAndZerosHaveAxes) {
  for (const bool logarithmic : {false, true}) {
    const std::string svg = SvgPlot({"t", "x", "y", logarithmic, {{"line", {{3, 0}}}}});
    EXPECT_THAT(svg, HasSubstr("class=\"line c0\""));
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    EXPECT_THAT(svg, Not(HasSubstr("inf")));
  }
}

TEST(SvgPlot, NamesAreEscaped) {
  const std::string svg = SvgPlot({"\"><b>", "<x>", "<y>", false, {{"</svg>", {{1, 1}}}}});
  EXPECT_THAT(svg, Not(HasSubstr("<b>")));
  EXPECT_THAT(svg, Not(HasSubstr("<x>")));
  EXPECT_THAT(svg, HasSubstr("&lt;/svg&gt;"));
}

}  // namespace
}  // namespace gw::bench
