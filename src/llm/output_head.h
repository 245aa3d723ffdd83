// The rows of an LLM's output head that belong to a request's identifiers.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "llm/gguf_file.h"
#include "llm/graph_tap.h"
#include "rsd/core/index.h"
#include "rsd/core/result.h"

namespace rsd {

// Computes the logits of a few tokens from a hidden state. A value; its rows are 32-bit floats.
class IdentifierHead {
 public:
  std::size_t n_embd() const noexcept { return n_embd_; }
  // logits[i] is that of the i-th token; state is [n_embd].
  void logits(std::span<const float> state, std::span<float> logits) const;

 private:
  friend class OutputHead;

  // For one of the shape's steps: what is added to each token's logit.
  using Bias = std::vector<float>;

  std::size_t n_embd_ = 0;
  std::vector<float> rows_;  // [n_tokens, n_embd]
  std::vector<HeadShape::Step> tail_;
  std::vector<Bias> biases_;  // as many as the tail has of that kind
};

// The head's matrix in the model's file, of which rows are read as they are asked for.
class OutputHead {
 public:
  // kInvalidInput where the file has no such tensors, or of another shape (a model in several files
  // is one); else as GgufFile::open.
  static Result<OutputHead> open(const std::string& model_path, HeadShape shape,
                                 std::size_t n_vocabulary);

  std::size_t n_embd() const noexcept { return n_embd_; }
  // The node of the LLM's graph after which its passes are to stop.
  const std::string& state_node() const noexcept { return shape_.state; }
  // Tokens are below n_vocabulary. kRuntime when reading breaks off.
  Result<IdentifierHead> rows(std::span<const IdentifierToken> tokens);

 private:
  OutputHead(GgufFile file, HeadShape shape) : file_(std::move(file)), shape_(std::move(shape)) {}

  Result<void> check(std::size_t n_vocabulary);
  Result<const std::vector<float>*> row(IdentifierToken token);

  GgufFile file_;
  HeadShape shape_;
  std::size_t n_embd_ = 0;
  std::vector<std::vector<float>> biases_;              // [n_vocabulary] each
  std::map<IdentifierToken, std::vector<float>> rows_;  // those that were asked for so far
};

// The largest difference between the head's logits of `states` [n, n_embd] and `logits`
// [n, n_vocabulary], where the span of a state's logits is 1; over tokens from all of the
// vocabulary. NaN where one of them is. kRuntime as OutputHead::rows.
Result<double> relative_difference(OutputHead& head, std::span<const float> states,
                                   std::span<const float> logits);

}  // namespace rsd
