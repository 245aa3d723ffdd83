// A GGUF file whose tensors are read one at a time.
#pragma once

#include <ggml.h>
#include <gguf.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llm/gguf_check.h"
#include "rsd/core/result.h"

namespace rsd {

class GgufFile {
 public:
  // As check_gguf; kInvalidInput also where the file ends before its tensors do. `what` names its
  // role in messages.
  static Result<GgufFile> open(std::string_view what, const std::string& path);

  struct Tensor {
    std::string name;
    ggml_type type = GGML_TYPE_F32;
    int64_t columns = 0;  // values in a row: ggml's ne[0]
    int64_t rows = 0;     // of a matrix: ne[1]
    bool is_matrix = false;
    std::uint64_t offset = 0;  // in the file
    std::size_t size_bytes = 0;
  };

  const std::string& subject() const noexcept { return subject_; }  // "LoRA adapter a.gguf"
  const gguf_context* metadata() const noexcept { return context_.get(); }
  // Frees the metadata, which hold the vocabulary; only tensors may be asked for from then on.
  void forget_metadata() noexcept { context_.reset(); }
  gguf_context* mutable_metadata() noexcept { return context_.get(); }
  const std::vector<Tensor>& tensors() const noexcept { return tensors_; }
  const Tensor* find(std::string_view name) const noexcept;
  // nullopt where the key is absent or no string.
  std::optional<std::string> string(const char* key) const;

  // `size_bytes` from `offset` on. kRuntime when reading breaks off.
  Result<void> read(std::uint64_t offset, std::size_t size_bytes, void* into);
  // Row by row. kInvalidInput where the type can't be turned into floats.
  Result<std::vector<float>> read_floats(const Tensor& tensor);
  // One row of `tensor`; `into` holds `columns` values.
  Result<void> read_row(const Tensor& tensor, int64_t row, float* into);

 private:
  struct ShapesFree {
    void operator()(ggml_context* context) const { ggml_free(context); }
  };
  Result<void> list_tensors(std::uint64_t file_size);

  std::string subject_;
  std::ifstream file_;
  GgufPtr context_;
  std::unique_ptr<ggml_context, ShapesFree> shapes_;
  std::vector<Tensor> tensors_;
  std::vector<char> raw_;  // of the row read last
};

}  // namespace rsd
