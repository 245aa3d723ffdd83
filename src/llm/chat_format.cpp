#include "llm/chat_format.h"

#include <llama.h>

#include <array>
#include <vector>

namespace rsd {
namespace {

constexpr const char* kSystemMarker = "<<rsd:system-text>>";
constexpr const char* kUserMarker = "<<rsd:user-text>>";

std::optional<std::string> render(const llama_model* model, bool with_system_text) {
  const char* chat_template = llama_model_chat_template(model, nullptr);
  if (!chat_template) return std::nullopt;
  std::vector<llama_chat_message> messages;
  if (with_system_text) messages.push_back({"system", kSystemMarker});
  messages.push_back({"user", kUserMarker});
  std::string rendered(1024, '\0');
  const auto apply = [&] {
    return llama_chat_apply_template(chat_template, messages.data(), messages.size(), true,
                                     rendered.data(), static_cast<int32_t>(rendered.size()));
  };
  int32_t length = apply();
  if (length > static_cast<int32_t>(rendered.size())) {
    rendered.resize(static_cast<std::size_t>(length));
    length = apply();
  }
  if (length < 0) return std::nullopt;
  rendered.resize(static_cast<std::size_t>(length));
  return rendered;
}

ChatText plain_text() {
  return {.opening = "", .between = "\n\n", .closing = "\n", .plain = true};
}

}  // namespace

ChatText chat_text(const llama_model* model, bool with_system_text) {
  const auto rendered = render(model, with_system_text);
  if (!rendered) return plain_text();
  const std::size_t user = rendered->find(kUserMarker);
  if (user == std::string::npos) return plain_text();
  ChatText text{.opening = rendered->substr(0, user),
                .between = "",
                .closing = rendered->substr(user + std::string_view(kUserMarker).size())};
  if (!with_system_text) return text;
  const std::size_t system = text.opening.find(kSystemMarker);
  if (system == std::string::npos) {
    text = chat_text(model, false);
    text.between = "\n\n";
    return text;
  }
  text.between = text.opening.substr(system + std::string_view(kSystemMarker).size());
  text.opening.resize(system);
  return text;
}

}  // namespace rsd
