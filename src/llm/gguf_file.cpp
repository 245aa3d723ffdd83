#include "llm/gguf_file.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "llm/gguf_check.h"
#include "llm/log.h"
#include "rsd/core/utf8.h"

namespace rsd {

Result<GgufFile> GgufFile::open(std::string_view what, const std::string& path) {
  if (auto checked = check_gguf(what, path); !checked) return checked.error();
  GgufFile opened;
  opened.subject_ = std::string(what) + " " + path;
  ggml_context* shapes = nullptr;
  const LlamaErrorCapture errors;
  opened.context_.reset(gguf_init_from_file(path.c_str(), {.no_alloc = true, .ctx = &shapes}));
  opened.shapes_.reset(shapes);
  if (!opened.context_) {
    return Error(ErrorCode::kInvalidInput,
                 opened.subject_ + " is damaged or truncated: " + errors.first());
  }
  opened.file_.open(path, std::ios::binary);
  std::error_code failure;
  const std::uint64_t size = std::filesystem::file_size(path, failure);
  if (!opened.file_ || failure) {
    return Error(ErrorCode::kNotFound, opened.subject_ + " can't be opened");
  }
  if (auto listed = opened.list_tensors(size); !listed) return listed.error();
  return opened;
}

Result<void> GgufFile::list_tensors(std::uint64_t file_size) {
  const std::uint64_t data = gguf_get_data_offset(context_.get());
  for (int64_t i = 0; i < gguf_get_n_tensors(context_.get()); ++i) {
    const char* name = gguf_get_tensor_name(context_.get(), i);
    const ggml_tensor* shape = ggml_get_tensor(shapes_.get(), name);
    if (!shape) return Error(ErrorCode::kInvalidInput, subject_ + " is damaged");
    if (find_invalid_utf8(name)) {  // messages have it
      return Error(ErrorCode::kInvalidInput, subject_ + " is damaged: the name of tensor " +
                                                 std::to_string(i) + " is not valid UTF-8");
    }
    Tensor tensor{.name = name,
                  .type = shape->type,
                  .columns = shape->ne[0],
                  .rows = shape->ne[1],
                  .is_matrix = ggml_n_dims(shape) <= 2 && shape->ne[1] > 0,
                  .offset = data + gguf_get_tensor_offset(context_.get(), i),
                  .size_bytes = gguf_get_tensor_size(context_.get(), i)};
    if (tensor.offset > file_size || tensor.size_bytes > file_size - tensor.offset) {
      return Error(ErrorCode::kInvalidInput,
                   subject_ + " is truncated: it ends before its tensor " + tensor.name + " does");
    }
    tensors_.push_back(std::move(tensor));
  }
  return {};
}

const GgufFile::Tensor* GgufFile::find(std::string_view name) const noexcept {
  const auto found = std::ranges::find(tensors_, name, &Tensor::name);
  return found == tensors_.end() ? nullptr : &*found;
}

std::optional<std::string> GgufFile::string(const char* key) const {
  const int64_t at = gguf_find_key(context_.get(), key);
  if (at < 0 || gguf_get_kv_type(context_.get(), at) != GGUF_TYPE_STRING) return std::nullopt;
  return gguf_get_val_str(context_.get(), at);
}

Result<void> GgufFile::read(std::uint64_t offset, std::size_t size_bytes, void* into) {
  file_.seekg(static_cast<std::streamoff>(offset));
  if (file_.read(static_cast<char*>(into), static_cast<std::streamsize>(size_bytes))) return {};
  file_.clear();
  return Error(ErrorCode::kRuntime, subject_ + ": reading broke off");
}

Result<void> GgufFile::read_row(const Tensor& tensor, int64_t row, float* into) {
  const std::size_t size = ggml_row_size(tensor.type, tensor.columns);
  const std::uint64_t offset = tensor.offset + static_cast<std::uint64_t>(row) * size;
  if (tensor.type == GGML_TYPE_F32) return read(offset, size, into);
  const auto to_float = ggml_get_type_traits(tensor.type)->to_float;
  if (!to_float) {
    return Error(ErrorCode::kInvalidInput, subject_ + ": tensor " + tensor.name + " is of type " +
                                               ggml_type_name(tensor.type) +
                                               ", which can't be turned into floats");
  }
  raw_.resize(size);
  if (auto done = read(offset, size, raw_.data()); !done) return done;
  to_float(raw_.data(), into, tensor.columns);
  return {};
}

Result<std::vector<float>> GgufFile::read_floats(const Tensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.columns * tensor.rows));
  for (int64_t row = 0; row < tensor.rows; ++row) {
    if (auto done = read_row(tensor, row, values.data() + row * tensor.columns); !done) {
      return done.error();
    }
  }
  return values;
}

}  // namespace rsd
