// The cells of the table of settings, shared by Markdown and HTML.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/eval/results.h"

namespace rsd {

struct Column {
  std::string_view heading;
  std::string_view meaning;  // a few words
  bool is_number;
};

inline constexpr std::array<Column, 16> kColumns = {{
    {"decoder", "how the ranking was decoded", false},
    {"policy", "what decided the proposals", false},
    {"draft", "what the first encoding carried after the prompt", false},
    {"T", "budget of encodings, the prefill's included; – is none", true},
    {"encodings", "passes of the LLM, mean", true},
    {"tokens", "tokens that went through the LLM, prompt included, mean", true},
    {"KT", "Kendall's tau with the target ranking, mean", true},
    {"SR", "Spearman's rho with the target ranking, mean", true},
    {"FD", "normalised footrule distance to the target ranking, mean", true},
    {"KD", "normalised Kemeny distance to the target ranking, mean", true},
    {"nDCG@10", "against the relevance labels, mean", true},
    {"verified prefix", "leading positions known to equal the target's, mean", true},
    {"prefill ms", "encoding the prompt, median", true},
    {"decode ms", "encoding proposals, median", true},
    {"total p50 ms", "the whole request, median", true},
    {"total p95 ms", "the whole request, 95th percentile", true},
}};

// One plain-text string per column; "–" for a figure that does not exist.
std::vector<std::string> cells(const Row& row);

// "0.812"; "–" for nullopt.
std::string figure(const std::optional<double>& value, int decimals);
// Three significant digits or so: "7.31", "52.6", "1240".
std::string milliseconds(double ms);
// A text such as "of 50 requests, 2 failed, 3 candidate texts cut".
std::string coverage(const DatasetResults& dataset);
// The rows under kTargetColumns: the target, std, and the orders to compare them with; empty
// without labels.
inline constexpr std::array<std::string_view, 4> kTargetColumns = {
    "the LLM's ranking, and what it has to beat", "nDCG@10", "MRR", "Recall@1"};
using TargetCells = std::array<std::string, kTargetColumns.size()>;
std::vector<TargetCells> target_cells(const TargetFigures& target);
// A sentence about letter bias and order consistency.
std::string target_sentence(const TargetFigures& target);

}  // namespace rsd
