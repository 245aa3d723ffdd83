#include "rsd/eval/training_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "eval/chart.h"

namespace rsd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;

TEST(Averaged, IsTheMeanOfEachRunAtItsLastStep) {
  const std::vector<std::pair<double, double>> points{{1, 2}, {2, 4}, {3, 9}};
  EXPECT_THAT(averaged(points, 2), ElementsAre(Pair(2, 3), Pair(3, 9)));
  EXPECT_EQ(averaged(points, 1), points);
  EXPECT_THAT(averaged({}, 5), IsEmpty());
}

TEST(TrainingFigures, AreThoseOfTheMetricsThatAreWhole) {
  const auto figures = training_figures(
      "{\"stage\":\"rpo\",\"step\":1,\"return\":0.5,\"kl\":0.25}\n"
      "not JSON\n[]\n{\"stage\":\"rpo\"}\n"
      "{\"stage\":\"rpo\",\"step\":2,\"return\":0.75}\n"
      "{\"stage\":\"rpo\",\"st");
  const auto returns = std::ranges::find(figures, "RPO: return", &TrainingFigure::title);
  ASSERT_NE(returns, figures.end());
  EXPECT_THAT(returns->curves[0].points, ElementsAre(Pair(1, 0.5), Pair(2, 0.75)));
  EXPECT_THAT(returns->curves[1].points, IsEmpty());
}

TEST(TrainingReport, DrawsFiguresThatHaveCurves) {
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no gnuplot";
  const Report report = render_training_report(
      "Training of <a>", {{.title = "Return", .unit = "R", .curves = {{"agent", {{1, 0.9}}}}},
                          {.title = "Nothing", .unit = "x", .curves = {{"agent", {}}}}});
  EXPECT_THAT(report.warnings, IsEmpty());
  EXPECT_THAT(report.html, HasSubstr("Training of &lt;a&gt;"));
  EXPECT_THAT(report.html, HasSubstr("<svg"));
  EXPECT_THAT(report.html, Not(HasSubstr("Nothing")));
}

TEST(TrainingReport, WithoutGnuplotItSaysSo) {
  const Report report = render_training_report(
      "Training", {{.title = "Return", .unit = "R", .curves = {{"agent", {{1, 0.9}, {2, 0.8}}}}}},
      {.gnuplot = "no-such-gnuplot"});
  EXPECT_THAT(report.warnings, SizeIs(1));
  EXPECT_THAT(report.html, HasSubstr("The plots are missing"));
}

TEST(AxisAround, EndsAtRoundNumbersAroundTheValues) {
  const Axis axis = axis_around("R", 0.873, 0.954);
  EXPECT_DOUBLE_EQ(axis.from, 0.86);
  EXPECT_DOUBLE_EQ(axis.to, 0.96);
  EXPECT_DOUBLE_EQ(axis.step, 0.02);
  const Axis flat = axis_around("R", 1, 1);
  EXPECT_LE(flat.from, 1);
  EXPECT_GT(flat.to, flat.from);
  EXPECT_GE(flat.to, 1);
  EXPECT_GT(flat.step, 0);
}

}  // namespace
}  // namespace rsd
