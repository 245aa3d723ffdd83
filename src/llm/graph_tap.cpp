#include "llm/graph_tap.h"

#include <ggml-backend.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace rsd {
namespace {

float float_parameter(const ggml_tensor* node, std::size_t index) {
  float value = 0;
  std::memcpy(&value, node->op_params + index, sizeof value);
  return value;
}

bool is_weight(const ggml_tensor* tensor) {
  return tensor && tensor->op == GGML_OP_NONE;
}

}  // namespace

bool GraphTap::on_node(ggml_tensor* node, bool before, void* tap) {
  auto& self = *static_cast<GraphTap*>(tap);
  switch (self.mode_) {
    case Mode::kLetPass:
      break;
    case Mode::kWatch:
      return self.watch_node(node, before);
    case Mode::kStop:
      if (before) return self.shape_.state == node->name;
      self.keep_states(node);
      return false;  // ends the pass
  }
  return !before;
}

void GraphTap::watch(std::size_t n_vocabulary) {
  *this = GraphTap();
  mode_ = Mode::kWatch;
  n_vocabulary_ = n_vocabulary;
}

std::optional<HeadShape> GraphTap::shape() const {
  if (!head_ || !why_not_.empty()) return std::nullopt;
  return shape_;
}

void GraphTap::stop_after(std::string node) {
  *this = GraphTap();
  mode_ = Mode::kStop;
  shape_.state = std::move(node);
}

void GraphTap::let_pass() {
  *this = GraphTap();
}

// Before: is its result wanted? After: shall the pass go on?
bool GraphTap::watch_node(const ggml_tensor* node, bool before) {
  if (!before) {  // the head's product is there, and so is still what went into it
    keep_states(node->src[1]);
    return true;
  }
  if (head_) {
    follow(node);
    return false;
  }
  find_head(node);
  if (!head_) seen_.push_back(node);
  return head_ && why_not_.empty();
}

void GraphTap::find_head(const ggml_tensor* node) {
  if (node->op != GGML_OP_MUL_MAT || !is_weight(node->src[0]) ||
      node->src[0]->ne[1] != static_cast<int64_t>(n_vocabulary_)) {
    return;
  }
  head_ = node;
  const ggml_tensor* state = node->src[1];
  shape_.weights = node->src[0]->name;
  shape_.state = state->name;
  const auto same_name = [&](const ggml_tensor* other) { return shape_.state == other->name; };
  if (seen_.empty() || seen_.back() != state) {
    // Something after the state's node would be cut off that the head doesn't come from.
    give_up("the node in front of the head is not the one it takes");
  } else if (std::ranges::count_if(seen_, same_name) != 1 || shape_.state.starts_with("node_")) {
    give_up("the node in front of the head has no name of its own");
  } else if (state->type != GGML_TYPE_F32 || !ggml_is_contiguous(state)) {
    give_up("the node in front of the head is no matrix of 32-bit floats");
  }
}

// After the head, only what treats every logit by itself can be done for a few of them.
void GraphTap::follow(const ggml_tensor* node) {
  using Kind = HeadShape::Step::Kind;
  const ggml_tensor* before = std::exchange(head_, node);
  if (node->src[0] != before) {
    give_up(std::string("after the head comes ") + node->name + ", which doesn't come from it");
  } else if (node->op == GGML_OP_SCALE) {
    shape_.tail.push_back({.kind = Kind::kScale,
                           .scale = float_parameter(node, 0),
                           .offset = float_parameter(node, 1)});
  } else if (node->op == GGML_OP_UNARY && ggml_get_unary_op(node) == GGML_UNARY_OP_TANH) {
    shape_.tail.push_back({.kind = Kind::kTanh});
  } else if (node->op == GGML_OP_ADD && is_weight(node->src[1]) &&
             ggml_nelements(node->src[1]) == static_cast<int64_t>(n_vocabulary_)) {
    shape_.tail.push_back({.kind = Kind::kBias, .bias = node->src[1]->name});
  } else {
    give_up(std::string("after the head comes ") + ggml_op_desc(node) +
            ", which can't be done for a part of it");
  }
}

void GraphTap::give_up(std::string why) {
  if (why_not_.empty()) why_not_ = std::move(why);
}

void GraphTap::keep_states(const ggml_tensor* node) {
  const auto n_values = static_cast<std::size_t>(ggml_nelements(node));
  if (n_values == 0) return;  // a micro-batch without output
  const std::size_t kept = states_.size();
  states_.resize(kept + n_values);
  ggml_backend_tensor_get(node, states_.data() + kept, 0, n_values * sizeof(float));
}

}  // namespace rsd
