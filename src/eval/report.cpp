#include "rsd/eval/report.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "data/fixed_decimals.h"
#include "eval/cells.h"
#include "eval/drawing.h"
#include "eval/figures.h"
#include "eval/html.h"
#include "rsd/core/file.h"

namespace rsd {
namespace {

std::string fact(std::string_view name, std::string_view html) {
  return html.empty() ? "" : element("dt", name) + element("dd", html) + "\n";
}

std::string tile(const std::string& value, std::string_view meaning) {
  return element("div", text_element("b", value) + text_element("span", meaning),
                 "class=\"card tile\"");
}

std::string facts(const Results& results) {
  const Machine& machine = results.machine;
  std::string hardware = escape_html(machine.cpu);
  if (machine.n_cpus > 0) {
    hardware += (hardware.empty() ? "" : ", ") + std::to_string(machine.n_cpus) +
                (machine.n_cpus == 1 ? " CPU" : " CPUs");
  }
  if (machine.memory_bytes > 0) {
    const double gib = static_cast<double>(machine.memory_bytes) / (1U << 30);
    hardware += (hardware.empty() ? "" : ", ") + fixed_decimals(gib, 1) + " GiB memory";
  }
  std::string load;
  if (machine.load_average) {
    for (const double average : *machine.load_average)
      load += (load.empty() ? "" : ", ") + fixed_decimals(average, 2);
    load += " over 1, 5 and 15 minutes, when the evaluation began";
  }
  const std::string order = results.shuffle_seed
                                ? "shuffled, seed " + std::to_string(*results.shuffle_seed)
                                : "in the order of the file";
  return element("dl",
                 "\n" + fact("Model", element("code", escape_html(results.model))) +
                     fact("Threads", std::to_string(results.threads)) + fact("Candidates", order) +
                     fact("Machine", hardware) + fact("System", escape_html(machine.system)) +
                     fact("Load average", load) + fact("rsd", escape_html(results.rsd_version)) +
                     fact("Command", element("code", escape_html(results.command_line))),
                 "class=\"card\"") +
         "\n";
}

std::string target_tiles(const TargetFigures& target) {
  std::string tiles;
  if (target.target) {
    tiles += tile(figure(target.target->ndcg_at_10, 3), "nDCG@10 of the target (ar)") +
             tile(figure(target.target->mrr, 3), "MRR of the target") +
             tile(figure(target.target->recall_at_1, 3), "Recall@1 of the target");
  }
  tiles += tile(figure(target.letter_bias, 2), "letter bias of the target") +
           tile(figure(target.order_consistency, 2), "order consistency of the target");
  return element("div", tiles, "class=\"tiles\"") + "\n";
}

// Empty without labels.
std::string target_table(const TargetFigures& target) {
  std::string head;
  for (const std::string_view heading : kTargetColumns)
    head += text_element("th", heading, head.empty() ? "" : "class=\"n\"");
  std::string body;
  for (const TargetCells& line : target_cells(target)) {
    std::string cells;
    for (const std::string& cell : line)
      cells += text_element("td", cell, cells.empty() ? "" : "class=\"n\"");
    body += element("tr", cells) + "\n";
  }
  if (body.empty()) return "";
  return element("div",
                 element("table", element("thead", element("tr", head)) + element("tbody", body)),
                 "class=\"card wide\"") +
         "\n";
}

std::string table_head() {
  std::string cells;
  for (const Column& column : kColumns) {
    cells += text_element("th", column.heading,
                          std::string(column.is_number ? "class=\"n\" " : "") +
                              "scope=\"col\" title=\"" + escape_html(column.meaning) + "\"");
  }
  return element("thead", element("tr", cells));
}

std::string table_row(const Row& row, bool is_first_of_decoder) {
  const auto texts = cells(row);
  std::string html;
  for (std::size_t c = 0; c < texts.size(); ++c) {
    std::string attributes = kColumns[c].is_number ? "class=\"n\"" : "";
    if (kColumns[c].heading == "KT") {
      const double share = 100 * std::clamp(row.kt, 0.0, 1.0);
      attributes = "class=\"n share\" style=\"--share:" + fixed_decimals(share, 1) + "%\"";
    }
    html += text_element("td", texts[c], attributes);
  }
  return element("tr", html, is_first_of_decoder ? "class=\"first\"" : "") + "\n";
}

std::string table(const std::vector<Row>& rows) {
  std::string body;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const bool is_first = r > 0 && rows[r].setting.decoder != rows[r - 1].setting.decoder;
    body += table_row(rows[r], is_first);
  }
  return element("div", element("table", table_head() + element("tbody", body)),
                 "class=\"card wide\"") +
         "\n";
}

// A paragraph on the differences between `exact` and step-by-step `ar`.
std::string exactness(const std::vector<Row>& rows) {
  std::string items;
  for (const Row& row : rows) {
    if (!row.exact) continue;
    std::string text = to_string(row.setting) + " differs from ar in " +
                       fixed_decimals(100 * row.exact->differs_from_ar, 1) + " % of requests";
    if (row.exact->margin_max) {
      text += "; where it first does, ar's own logits are apart by " +
              figure(row.exact->margin_median, 4) + " (median), at most " +
              figure(row.exact->margin_max, 4);
    }
    items += text_element("li", text + ".");
  }
  return items.empty() ? "" : element("ul", items, "class=\"muted\"") + "\n";
}

std::string failures(const std::vector<FailedRequest>& failed) {
  if (failed.empty()) return "";
  std::string items;
  for (const FailedRequest& failure : failed) {
    items += element(
        "li", text_element("code", failure.id) + ": " + escape_html(failure.error.message()));
  }
  return element("details",
                 element("summary", "Failed requests (" + std::to_string(failed.size()) + ")") +
                     element("ul", items)) +
         "\n";
}

std::string section(const DatasetResults& dataset, std::size_t n, Drawing& drawing) {
  return element("section", "\n" + text_element("h2", dataset.name) + "\n" +
                                text_element("p", coverage(dataset) + ".", "class=\"muted\"") +
                                "\n" + target_tiles(dataset.target) + target_table(dataset.target) +
                                drawing.figures(figures_of(dataset, "d" + std::to_string(n))) +
                                table(dataset.rows) + exactness(dataset.rows) +
                                failures(dataset.failed)) +
         "\n";
}

constexpr std::string_view kFootnote =
    "KT, SR, FD and KD compare with the target ranking, which is what ar returns; nDCG@10, MRR and "
    "Recall@1 with the relevance labels, as trec_eval computes them. Percentiles are by nearest "
    "rank. "
    "One encoding of the prompt serves all decoders of a request and is billed to each. Letter "
    "bias is "
    "Kendall's tau between the target and the order in which the candidates were presented; order "
    "consistency is "
    "Kendall's tau between the targets of different shuffled orders of the same candidates.";

}  // namespace

Report render_report(const Results& results, const ReportOptions& options) {
  Drawing drawing(options.gnuplot);
  std::string sections;
  std::string warnings;
  for (std::size_t n = 0; n < results.datasets.size(); ++n) {
    const DatasetResults& dataset = results.datasets[n];
    for (const std::string& text : dataset.warnings)
      warnings += warning(text_element("strong", dataset.name) + ": " + escape_html(text));
    sections += section(dataset, n, drawing);
  }
  Report report;
  if (drawing.failure()) {
    report.warnings.push_back("the report has no plots: " + *drawing.failure());
    warnings += warning(escape_html("The plots are missing: " + *drawing.failure() + "."));
  }
  const std::string title = "Ranking evaluation";
  report.html = html_page(title + " of " + results.model,
                          element("h1", title) + "\n" + warnings + facts(results) + sections +
                              element("footer", escape_html(kFootnote)));
  return report;
}

Result<std::vector<std::string>> write_results(const Results& results, const std::string& folder,
                                               const ReportOptions& options) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) {
    return Error(ErrorCode::kRuntime,
                 "the folder " + folder + " can't be made: " + failed.message());
  }
  Report report = render_report(results, options);
  const std::vector<std::pair<std::string, std::string>> files = {
      {"results.json", to_json(results)},
      {"table.md", to_markdown(results)},
      {"report.html", report.html}};
  for (const auto& [name, content] : files) {
    const std::string path = (std::filesystem::path(folder) / name).string();
    if (auto written = write_file_atomically(path, content); !written) return written.error();
  }
  return std::move(report.warnings);
}

}  // namespace rsd
