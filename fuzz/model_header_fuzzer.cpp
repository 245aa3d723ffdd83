// The header of a model's GGUF: what rsd itself reads of it.
#include "fuzz/memory_file.h"
#include "fuzz/target.h"
#include "llm/gguf_file.h"

namespace rsd::fuzz {

void take_input(std::string_view input) {
  const MemoryFile file(input);
  auto opened = GgufFile::open("model", file.path());
  if (!is_value(opened)) return;
  for (const GgufFile::Tensor& tensor : opened->tensors()) {
    require(tensor.offset + tensor.size_bytes <= input.size(), "a tensor lies in the file");
    if (tensor.is_matrix) (void)is_value(opened->read_floats(tensor));
  }
}

}  // namespace rsd::fuzz
