// The model's chat format around our texts.
#pragma once

#include <optional>
#include <string>

struct llama_model;

namespace rsd {

// What stands before, between and after the system's and the user's texts.
struct ChatText {
  std::string opening;
  std::string between;
  std::string closing;
  bool plain = false;  // the model has no template, or none that llama.cpp knows
};

// Renders the model's own template around markers and takes it apart there, so that our texts never
// go through it. A format without a system turn gets the system text in front of the user's.
ChatText chat_text(const llama_model* model, bool with_system_text);

}  // namespace rsd
