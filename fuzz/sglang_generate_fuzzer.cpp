// An answer of SGLang's /generate.
#include "fuzz/remote_answer.h"
#include "fuzz/target.h"

namespace rsd::fuzz {

void take_input(std::string_view input) {
  static const auto kProtocol = sglang_generate_protocol();
  parse_answer_of(*kProtocol, input);
}

}  // namespace rsd::fuzz
