// A look into the LLM's graph while it is computed: where it ends, and what stands in front of
// there.
//
// The last matrix of an LLM, its output head, has a row for every token of the vocabulary. A
// ranking needs those of its identifiers only, so the graph is stopped in front of the head, and
// the few rows are multiplied by us (llm/output_head.h).
#pragma once

#include <ggml.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace rsd {

// How logits come out of the last hidden state: logits = tail(weights * state), entry by entry.
struct HeadShape {
  struct Step {
    enum class Kind { kScale, kTanh, kBias };  // z * scale + offset; tanh z; z + bias[token]
    Kind kind = Kind::kScale;
    float scale = 1;
    float offset = 0;
    std::string bias;  // the tensor's name
  };

  std::string state;    // the node in front of the head
  std::string weights;  // the head's matrix, [n_vocabulary, n_embd]
  std::vector<Step> tail;
};

// llama.cpp asks it about every node of a graph in the order of computation. Not thread-safe.
class GraphTap {
 public:
  // To be given to llama.cpp with the tap as its data.
  static bool on_node(ggml_tensor* node, bool before, void* tap);

  // The next pass computes everything; its end is looked at, and the last states are kept.
  void watch(std::size_t n_vocabulary);
  // What watch() saw: nullopt, and why_not() says it, where the end of the graph is of a kind that
  // we can't compute.
  std::optional<HeadShape> shape() const;
  const std::string& why_not() const noexcept { return why_not_; }

  // From now on every pass stops after the node of this name and keeps its states.
  void stop_after(std::string node);
  // From now on passes are left alone.
  void let_pass();

  // Before each pass.
  void begin_pass() { states_.clear(); }
  bool stops() const noexcept { return mode_ == Mode::kStop; }
  // The states of the tokens with output, in their order, [n, n_embd].
  std::span<const float> states() const noexcept { return states_; }

 private:
  enum class Mode { kLetPass, kWatch, kStop };

  bool watch_node(const ggml_tensor* node, bool before);
  void find_head(const ggml_tensor* node);
  void follow(const ggml_tensor* node);
  void give_up(std::string why);
  void keep_states(const ggml_tensor* node);

  Mode mode_ = Mode::kLetPass;
  std::size_t n_vocabulary_ = 0;
  HeadShape shape_;
  std::string why_not_;
  // While watching:
  std::vector<const ggml_tensor*> seen_;  // the nodes in front of the head
  const ggml_tensor* head_ = nullptr;     // then the last node of what follows it
  std::vector<float> states_;
};

}  // namespace rsd
