#include "rsd/eval/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "eval/chart.h"
#include "eval/gnuplot.h"
#include "eval/html.h"
#include "rsd/core/file.h"

namespace rsd {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

Row row(DecoderKind decoder, std::optional<std::size_t> budget, double kt) {
  Row row{.setting = {.decoder = decoder, .budget = budget},
          .requests = 2,
          .encodings = 2,
          .kt = kt,
          .p50_ms = 120,
          .decode_p50_ms = 7.5,
          .disagreement_by_position = {0, 0.5, 0.25}};
  if (decoder == DecoderKind::kRsd) row.setting.policy = "mean-logprob";
  if (decoder == DecoderKind::kRsd) row.setting.draft = Draft::kInput;
  return row;
}

Results some_results() {
  DatasetResults dataset{.name = "<b>quotes' & \"tags\"",
                         .requests = 2,
                         .failed = {{"q<3>", Error(ErrorCode::kTooLong, "a & b")}},
                         .rows = {row(DecoderKind::kAr, {}, 1), row(DecoderKind::kStd, {}, 0.5),
                                  row(DecoderKind::kRsd, 1, 0.6), row(DecoderKind::kRsd, 2, 0.8)},
                         .warnings = {"letters < sense"}};
  return {.model = "a model",
          .threads = 2,
          .rsd_version = "0.1.0",
          .command_line = "rsd eval --out \"a b\"",
          .machine = {.cpu = "a CPU", .n_cpus = 2, .load_average = {{0.5, 0.25, 0}}},
          .shuffle_seed = 7,
          .datasets = {std::move(dataset)}};
}

bool has_gnuplot() {
  return run_gnuplot("").ok();
}

TEST(Html, EscapesWhatMeansSomething) {
  EXPECT_EQ(escape_html("<a href=\"x\">'&'</a>"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
}

TEST(Report, WithoutGnuplotItSaysSo) {
  const Report report = render_report(some_results(), {.gnuplot = "no-such-gnuplot"});
  EXPECT_THAT(report.warnings,
              ElementsAre(HasSubstr("no plots: no-such-gnuplot is not installed")));
  EXPECT_THAT(report.html, HasSubstr("The plots are missing"));
  EXPECT_THAT(report.html, Not(HasSubstr("<svg")));
  EXPECT_THAT(report.html, HasSubstr("<table>"));
}

TEST(Report, TextsOfTheInputAreEscaped) {
  const std::string html = render_report(some_results(), {.gnuplot = "no-such-gnuplot"}).html;
  EXPECT_THAT(html, HasSubstr("&lt;b&gt;quotes&#39; &amp; &quot;tags&quot;"));
  EXPECT_THAT(html, HasSubstr("letters &lt; sense"));
  EXPECT_THAT(html, HasSubstr("q&lt;3&gt;"));
  EXPECT_THAT(html, HasSubstr("a &amp; b"));
  EXPECT_THAT(html, HasSubstr("rsd eval --out &quot;a b&quot;"));
  EXPECT_THAT(html, Not(HasSubstr("<b>quotes")));
}

TEST(Report, DrawsFourPlotsThatShareThePage) {
  if (!has_gnuplot()) GTEST_SKIP() << "gnuplot is not installed";
  const Report report = render_report(some_results());
  EXPECT_THAT(report.warnings, IsEmpty());
  int n_plots = 0;
  for (auto at = report.html.find("<svg"); at != std::string::npos;
       at = report.html.find("<svg", at + 1)) {
    ++n_plots;
  }
  EXPECT_EQ(n_plots, 4);
  EXPECT_THAT(report.html, HasSubstr("var(--plot-ramp-0)"));
  EXPECT_THAT(report.html, Not(HasSubstr("<?xml")));
  EXPECT_THAT(report.html, Not(HasSubstr("rgb(0,1,")));
  std::multiset<std::string> ids;
  for (auto at = report.html.find(" id="); at != std::string::npos;
       at = report.html.find(" id=", at + 1)) {
    ids.insert(report.html.substr(at + 5, report.html.find_first_of("'\"", at + 5) - at - 5));
  }
  EXPECT_FALSE(ids.empty());
  for (const std::string& id : ids)
    EXPECT_EQ(ids.count(id), 1U) << id;
}

TEST(Report, RefersToNothingOutside) {
  const std::string html = render_report(some_results()).html;
  EXPECT_THAT(html, Not(HasSubstr("<link")));
  EXPECT_THAT(html, Not(HasSubstr("src=")));
  EXPECT_THAT(html, Not(HasSubstr("@import")));
}

TEST(Report, AllFilesAreWritten) {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("rsd_report_test_" + std::to_string(getpid())) / "deep";
  const auto warnings = write_results(some_results(), folder, {.gnuplot = "no-such-gnuplot"});
  ASSERT_TRUE(warnings.ok()) << warnings.error().message();
  EXPECT_THAT(*warnings, SizeIs(1));
  EXPECT_EQ(read_file(folder / "results.json").value(), to_json(some_results()));
  EXPECT_EQ(read_file(folder / "table.md").value(), to_markdown(some_results()));
  EXPECT_THAT(read_file(folder / "report.html").value(), HasSubstr("</html>"));
  std::filesystem::remove_all(folder.parent_path());
}

TEST(ResultsMarkdown, HasTheHeadingsOfTheContract) {
  const std::string text = to_markdown(some_results());
  const auto start = text.find("| decoder");
  ASSERT_NE(start, std::string::npos);
  std::string heading = text.substr(start, text.find('\n', start) - start);
  heading.erase(std::unique(heading.begin(), heading.end(),
                            [](char a, char b) { return a == ' ' && b == ' '; }),
                heading.end());
  EXPECT_EQ(heading,
            "| decoder | policy | draft | T | encodings | tokens | KT | SR | FD | KD | nDCG@10 | "
            "verified prefix | prefill ms | decode ms | total p50 ms | total p95 ms |");
  EXPECT_THAT(text, HasSubstr("2 requests, 1 more failed"));
}

TEST(ResultsJson, KeepsTheContract) {
  const auto json = nlohmann::json::parse(to_json(some_results()));
  EXPECT_EQ(json["model"], "a model");
  EXPECT_EQ(json["threads"], 2);
  EXPECT_EQ(json["shuffle"], 7);
  EXPECT_EQ(json["load_average"][0], 0.5);
  const auto& dataset = json["datasets"][0];
  EXPECT_EQ(dataset["requests"], 2);
  EXPECT_EQ(dataset["failed"][0]["code"], "too_long");
  EXPECT_EQ(dataset["warnings"].size(), 1U);
  const auto& ar = dataset["rows"][0];
  EXPECT_EQ(ar["decoder"], "ar");
  EXPECT_TRUE(ar["budget"].is_null());
  EXPECT_TRUE(ar["policy"].is_null());
  EXPECT_TRUE(ar["ndcg@10"].is_null());
  EXPECT_EQ(ar["decode_p50_ms"], 7.5);
  EXPECT_EQ(dataset["rows"][2]["budget"], 1);
  EXPECT_EQ(dataset["rows"][2]["draft"], "input");
  for (const char* key : {"ndcg@10_input", "ndcg@10_random", "order_consistency", "letter_bias"})
    EXPECT_TRUE(dataset["target"].contains(key)) << key;
}

TEST(Gnuplot, FailureHasItsReason) {
  if (!has_gnuplot()) GTEST_SKIP() << "gnuplot is not installed";
  const auto drawn = run_gnuplot("plot nonsense\n");
  ASSERT_FALSE(drawn.ok());
  EXPECT_EQ(drawn.error().code(), ErrorCode::kRuntime);
  EXPECT_THAT(drawn.error().message(), HasSubstr("exit status"));
}

TEST(Gnuplot, OfTheCurrentFolderIsNotRun) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("rsd-gnuplot-" + std::to_string(::getpid()));
  const std::filesystem::path before = std::filesystem::current_path();
  const std::string path = std::getenv("PATH");
  std::filesystem::create_directory(folder);
  std::ofstream(folder / "gnuplot") << "#!/bin/sh\n/usr/bin/touch " << folder / "was-run"
                                    << "\n";
  std::filesystem::permissions(folder / "gnuplot", std::filesystem::perms::owner_all);
  std::filesystem::current_path(folder);
  ::setenv("PATH", ("." + (":" + path)).c_str(), 1);
  static_cast<void>(run_gnuplot("").ok());
  ::setenv("PATH", path.c_str(), 1);
  std::filesystem::current_path(before);
  EXPECT_FALSE(std::filesystem::exists(folder / "was-run"));
  std::filesystem::remove_all(folder);
}

TEST(Gnuplot, StringsCannotBeLeft) {
  EXPECT_EQ(gnuplot_string("it's `date`\n"), "'it''s `date` '");
  if (!has_gnuplot()) GTEST_SKIP() << "gnuplot is not installed";
  const std::string text = "a'b\\n`echo run`\" @x $y";
  const auto printed = run_gnuplot("set print '-'\nprint " + gnuplot_string(text) + "\n");
  ASSERT_TRUE(printed.ok()) << printed.error().message();
  EXPECT_EQ(*printed, text + "\n");
}

TEST(SpreadLabels, KeepTheirDistanceAndTheirOrder) {
  EXPECT_THAT(spread_labels({0.2, 0.8}, 0.1), ElementsAre(0.2, 0.8));
  EXPECT_THAT(spread_labels({0.5, 0.5}, 0.1),
              ElementsAre(DoubleNear(0.45, 1e-9), DoubleNear(0.55, 1e-9)));
  EXPECT_THAT(spread_labels({1, 1, 0}, 0.1),
              ElementsAre(DoubleNear(0.9, 1e-9), DoubleNear(1, 1e-9), DoubleNear(0, 1e-9)));
  EXPECT_THAT(spread_labels({}, 0.1), IsEmpty());
}

TEST(AxisFromZero, EndsAtARoundNumber) {
  const Axis axis = axis_from_zero("ms", 437, 1);
  EXPECT_EQ(axis.from, 0);
  EXPECT_DOUBLE_EQ(axis.to, 500);
  EXPECT_DOUBLE_EQ(axis.step, 100);
  EXPECT_DOUBLE_EQ(axis_from_zero("share", 0, 0.1).to, 0.1);
}

}  // namespace
}  // namespace rsd
