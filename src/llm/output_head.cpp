#include "llm/output_head.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {
namespace {

using Kind = HeadShape::Step::Kind;

// In lanes, so that the compiler may use the CPU's vectors: a sum in order is one dependent chain.
float dot(std::span<const float> a, std::span<const float> b) {
  constexpr std::size_t kLanes = 16;
  std::array<float, kLanes> sums{};
  std::size_t i = 0;
  for (; i + kLanes <= a.size(); i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      sums[lane] += a[i + lane] * b[i + lane];
  float sum = 0;
  for (; i < a.size(); ++i)
    sum += a[i] * b[i];
  for (const float part : sums)
    sum += part;
  return sum;
}

}  // namespace

void IdentifierHead::logits(std::span<const float> state, std::span<float> logits) const {
  RSD_CHECK(state.size() == n_embd_ && logits.size() * n_embd_ == rows_.size(),
            "shapes of the output head");
  const std::span<const float> rows(rows_);
  for (std::size_t i = 0; i < logits.size(); ++i)
    logits[i] = dot(rows.subspan(i * n_embd_, n_embd_), state);
  auto bias = biases_.begin();
  for (const HeadShape::Step& step : tail_) {
    for (float& logit : logits) {
      if (step.kind == Kind::kScale) logit = logit * step.scale + step.offset;
      if (step.kind == Kind::kTanh) logit = std::tanh(logit);
    }
    if (step.kind != Kind::kBias) continue;
    for (std::size_t i = 0; i < logits.size(); ++i)
      logits[i] += (*bias)[i];
    ++bias;
  }
}

Result<OutputHead> OutputHead::open(const std::string& model_path, HeadShape shape,
                                    std::size_t n_vocabulary) {
  auto file = GgufFile::open("model", model_path);
  if (!file) return file.error();
  OutputHead head(*std::move(file), std::move(shape));
  if (auto checked = head.check(n_vocabulary); !checked) return checked.error();
  head.file_.forget_metadata();
  return head;
}

Result<void> OutputHead::check(std::size_t n_vocabulary) {
  const auto unfit = [&](const std::string& name) {
    return Error(ErrorCode::kInvalidInput,
                 file_.subject() + " has no tensor " + name + " of the vocabulary's size");
  };
  const auto n_rows = static_cast<int64_t>(n_vocabulary);
  const GgufFile::Tensor* weights = file_.find(shape_.weights);
  if (!weights || !weights->is_matrix || weights->rows != n_rows) return unfit(shape_.weights);
  n_embd_ = static_cast<std::size_t>(weights->columns);
  for (const HeadShape::Step& step : shape_.tail) {
    if (step.kind != Kind::kBias) continue;
    const GgufFile::Tensor* bias = file_.find(step.bias);
    if (!bias || bias->columns != n_rows) return unfit(step.bias);
    biases_.emplace_back(n_vocabulary);
    if (auto done = file_.read_row(*bias, 0, biases_.back().data()); !done) return done;
  }
  return {};
}

Result<const std::vector<float>*> OutputHead::row(IdentifierToken token) {
  const auto [at, is_new] = rows_.try_emplace(token);
  if (!is_new) return &at->second;
  at->second.resize(n_embd_);
  if (auto done = file_.read_row(*file_.find(shape_.weights), token.value(), at->second.data());
      !done) {
    rows_.erase(at);
    return done.error();
  }
  return &at->second;
}

Result<IdentifierHead> OutputHead::rows(std::span<const IdentifierToken> tokens) {
  IdentifierHead head;
  head.n_embd_ = n_embd_;
  head.tail_ = shape_.tail;
  head.rows_.reserve(tokens.size() * head.n_embd_);
  for (const IdentifierToken token : tokens) {
    const auto values = row(token);
    if (!values) return values.error();
    head.rows_.insert(head.rows_.end(), (*values)->begin(), (*values)->end());
  }
  head.biases_.reserve(biases_.size());
  for (const auto& all : biases_) {
    auto& bias = head.biases_.emplace_back();
    bias.reserve(tokens.size());
    for (const IdentifierToken token : tokens)
      bias.push_back(all[static_cast<std::size_t>(token.value())]);
  }
  return head;
}

Result<double> relative_difference(OutputHead& head, std::span<const float> states,
                                   std::span<const float> logits) {
  const std::size_t n_states = states.size() / head.n_embd();
  const std::size_t n_vocabulary = logits.size() / std::max<std::size_t>(n_states, 1);
  constexpr std::size_t kSamples = 64;
  std::vector<IdentifierToken> tokens;
  tokens.reserve(kSamples);
  for (std::size_t n = 0; n < kSamples; ++n)
    tokens.emplace_back(n * (n_vocabulary - 1) / (kSamples - 1));
  const auto rows = head.rows(tokens);
  if (!rows) return rows.error();
  std::vector<float> ours(kSamples);
  double difference = 0;
  for (std::size_t s = 0; s < n_states; ++s) {
    rows->logits(states.subspan(s * head.n_embd(), head.n_embd()), ours);
    const auto theirs = logits.subspan(s * n_vocabulary, n_vocabulary);
    const auto [lowest, highest] = std::ranges::minmax(theirs);
    const double span = std::max(1e-6F, highest - lowest);
    for (std::size_t n = 0; n < kSamples; ++n) {
      const double gap = std::abs(ours[n] - theirs[tokens[n].slot()]) / span;
      if (std::isnan(gap)) return gap;
      difference = std::max(difference, gap);
    }
  }
  return difference;
}

}  // namespace rsd
