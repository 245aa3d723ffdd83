// A model's GGUF as far as prompts need it: llama.cpp reads what rsd's checks have let pass.
#include "fuzz/memory_file.h"
#include "fuzz/target.h"
#include "rsd/llm/load_tokenizer.h"

namespace rsd::fuzz {

void take_input(std::string_view input) {
  const MemoryFile file(input);
  const auto tokenizer = load_tokenizer(file.path(), {});
  if (!is_value(tokenizer)) return;
  for (const auto token : (*tokenizer)->encode_text("How to split peas?\n<|im_end|> \xC3\xA9"))
    (void)(*tokenizer)->piece(token);
  (void)(*tokenizer)->chat_frame(true);
}

}  // namespace rsd::fuzz
