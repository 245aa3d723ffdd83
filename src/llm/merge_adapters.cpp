#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "llm/backend.h"
#include "llm/gguf_file.h"
#include "llm/log.h"
#include "rsd/core/shown_text.h"
#include "rsd/llm/llama_engine.h"
#include "rsd/llm/prepare_model.h"

namespace rsd {
namespace {

using Tensor = GgufFile::Tensor;

Error unsupported_adapter(const std::string& message) {
  return {ErrorCode::kUnsupported, message};
}

std::string shape_of(const Tensor& tensor) {
  return std::to_string(tensor.rows) + " x " + std::to_string(tensor.columns);
}

// A change to one weight: factor * B A, with A of [rank, columns] and B of [rows, rank].
struct Change {
  const Tensor* a = nullptr;
  const Tensor* b = nullptr;
  float factor = 0;
};

// Changes by the name of the weight that they belong to.
using Changes = std::map<std::string, Change>;

struct Adapter {
  GgufFile file;
  Changes changes;
};

float alpha_of(const GgufFile& file) {
  const int64_t at = gguf_find_key(file.metadata(), "adapter.lora.alpha");
  return at < 0 ? 0.0F : gguf_get_val_f32(file.metadata(), at);  // check_gguf has seen its type
}

Result<void> check_kind(const GgufFile& file, const GgufFile& model) {
  if (file.string("general.type") != "adapter" || file.string("adapter.type") != "lora") {
    return invalid_input(file.subject() +
                         " is no LoRA adapter: its general.type must be adapter and "
                         "its adapter.type lora");
  }
  const auto architecture = file.string("general.architecture");
  const auto expected = model.string("general.architecture");
  if (!architecture || architecture != expected) {
    return invalid_input(file.subject() + " is for the architecture " +
                         shown_text(architecture.value_or("?")) + ", " + model.subject() +
                         " is of " + shown_text(expected.value_or("?")));
  }
  if (gguf_find_key(file.metadata(), "adapter.alora.invocation_tokens") >= 0) {
    return unsupported_adapter(
        file.subject() +
        " is an activated LoRA, which works from some token on: it can't be merged");
  }
  return {};
}

// The tensors of the adapter, in pairs.
Result<Changes> pair_up(const GgufFile& file) {
  Changes changes;
  for (const Tensor& tensor : file.tensors()) {
    const std::string_view name = tensor.name;
    constexpr std::size_t kSuffix = std::string_view(".lora_a").size();
    if (name.ends_with(".lora_a")) {
      changes[tensor.name.substr(0, name.size() - kSuffix)].a = &tensor;
    } else if (name.ends_with(".lora_b")) {
      changes[tensor.name.substr(0, name.size() - kSuffix)].b = &tensor;
    } else if (!name.ends_with("_norm.weight")) {
      return invalid_input(file.subject() + ": tensor " + tensor.name +
                           " ends neither in .lora_a nor in .lora_b");
    }
  }
  if (changes.empty()) return invalid_input(file.subject() + " changes no tensor");
  return changes;
}

Result<void> check_change(const GgufFile& file, const std::string& name, const Change& change,
                          const GgufFile& model) {
  if (!change.a || !change.b) {
    return invalid_input(file.subject() + ": tensor " + name + (change.a ? ".lora_b" : ".lora_a") +
                         " is missing");
  }
  const Tensor* weight = model.find(name);
  if (!weight) {
    return invalid_input(file.subject() + ": tensor " + change.a->name + " is for " + name +
                         ", which " + model.subject() + " lacks");
  }
  if (name == "token_embd.weight") {
    return unsupported_adapter(file.subject() + ": tensor " + change.a->name +
                               " changes the embeddings, which can't be merged");
  }
  if (!weight->is_matrix || !change.a->is_matrix || !change.b->is_matrix) {
    return unsupported_adapter(file.subject() + ": tensor " + change.a->name +
                               " has more than two dimensions");
  }
  if (change.a->columns != weight->columns || change.b->rows != weight->rows ||
      change.a->rows != change.b->columns) {
    return invalid_input(file.subject() + ": tensors " + name + ".lora_a (" + shape_of(*change.a) +
                         ") and .lora_b (" + shape_of(*change.b) + ") don't fit " + name + " (" +
                         shape_of(*weight) + ") of " + model.subject());
  }
  return {};
}

Result<std::unique_ptr<Adapter>> open_adapter(const LoraFile& lora, const GgufFile& model) {
  auto file = GgufFile::open("LoRA adapter", lora.path);
  if (!file) return file.error();
  auto adapter = std::make_unique<Adapter>(Adapter{.file = *std::move(file), .changes = {}});
  if (auto checked = check_kind(adapter->file, model); !checked) return checked.error();
  auto changes = pair_up(adapter->file);
  if (!changes) return changes.error();
  adapter->changes = *std::move(changes);
  const float alpha = alpha_of(adapter->file);
  for (auto& [name, change] : adapter->changes) {
    if (auto checked = check_change(adapter->file, name, change, model); !checked) {
      return checked.error();
    }
    // llama.cpp takes an alpha of 0 for none.
    const auto rank = static_cast<float>(change.b->columns);
    change.factor = alpha == 0.0F ? lora.scale : lora.scale * alpha / rank;
    if (!std::isfinite(change.factor)) {
      return invalid_input(adapter->file.subject() +
                           ": scale and alpha make a factor that isn't finite");
    }
  }
  return adapter;
}

// The matrices of one change, in memory.
struct LoadedChange {
  std::vector<float> a;
  std::vector<float> b;
  std::size_t rank = 0;
  float factor = 0;

  // Adds row `at` of factor * B A.
  void add_to(std::vector<float>& row, std::size_t at) const {
    for (std::size_t r = 0; r < rank; ++r) {
      const float weight = factor * b[at * rank + r];
      const float* values = a.data() + r * row.size();
      for (std::size_t i = 0; i < row.size(); ++i)
        row[i] += weight * values[i];
    }
  }
};

class Merge {
 public:
  explicit Merge(const MergeOptions& options) : options_(options) {}

  Result<void> run() {
    if (auto opened = open(); !opened) return opened;
    describe_target();
    errno = 0;
    if (!gguf_write_to_file(target_->metadata(), options_.output_path.c_str(), true)) {
      return not_written();
    }
    output_.open(options_.output_path, std::ios::binary | std::ios::app);
    if (!output_) return not_written();
    for (const Tensor& tensor : model_->tensors()) {
      auto written = is_changed(tensor) ? write_merged(tensor) : write_copy(tensor);
      if (!written) return written;
      pad();
    }
    output_.close();
    return output_ ? Result<void>() : not_written();
  }

 private:
  Result<void> open() {
    if (options_.output_path.empty()) {
      return Error(ErrorCode::kInvalidArgument, "no output is named");
    }
    auto model = GgufFile::open("model", options_.model_path);
    if (!model) return model.error();
    auto target = GgufFile::open("model", options_.model_path);
    if (!target) return target.error();
    model_ = std::make_unique<GgufFile>(*std::move(model));
    target_ = std::make_unique<GgufFile>(*std::move(target));
    if (model_->string("general.type").value_or("model") == "adapter" ||
        !model_->string("general.architecture")) {
      return invalid_input(model_->subject() + " is no model");
    }
    const int64_t split = gguf_find_key(model_->metadata(), "split.count");
    if (split >= 0 && gguf_get_kv_type(model_->metadata(), split) == GGUF_TYPE_UINT16 &&
        gguf_get_val_u16(model_->metadata(), split) > 1) {
      return unsupported_adapter(model_->subject() + " is one of several files; join them first");
    }
    for (const LoraFile& lora : options_.loras) {
      auto adapter = open_adapter(lora, *model_);
      if (!adapter) return adapter.error();
      adapters_.push_back(*std::move(adapter));
    }
    return {};
  }

  bool is_changed(const Tensor& tensor) const {
    return std::ranges::any_of(
        adapters_, [&](const auto& adapter) { return adapter->changes.contains(tensor.name); });
  }

  // F16 may not hold what came from a type with larger numbers.
  static ggml_type merged_type(const Tensor& tensor) {
    const bool wide = tensor.type == GGML_TYPE_F32 || tensor.type == GGML_TYPE_BF16;
    return wide ? GGML_TYPE_F32 : GGML_TYPE_F16;
  }

  void describe_target() {
    constexpr std::uint32_t kAllF32 = 0;  // LLAMA_FTYPE_ALL_F32
    constexpr std::uint32_t kMostlyF16 = 1;
    gguf_context* metadata = target_->mutable_metadata();
    std::uint32_t file_type = kAllF32;
    for (const Tensor& tensor : model_->tensors()) {
      if (!is_changed(tensor)) continue;
      gguf_set_tensor_type(metadata, tensor.name.c_str(), merged_type(tensor));
      if (merged_type(tensor) == GGML_TYPE_F16) file_type = kMostlyF16;
    }
    if (!adapters_.empty()) gguf_set_val_u32(metadata, "general.file_type", file_type);
    for (const auto& adapter : adapters_)
      for (const char* key : {kPromptLayoutKey, kRelevanceKey})
        if (const auto value = adapter->file.string(key))
          gguf_set_val_str(metadata, key, value->c_str());
  }

  Result<void> write_copy(const Tensor& tensor) {
    constexpr std::size_t kBlock = 1 << 20;
    std::vector<char> block;
    for (std::size_t at = 0; at < tensor.size_bytes; at += block.size()) {
      block.resize(std::min(kBlock, tensor.size_bytes - at));
      if (auto done = model_->read(tensor.offset + at, block.size(), block.data()); !done) {
        return done;
      }
      if (auto done = write(block.data(), block.size()); !done) return done;
    }
    return {};
  }

  Result<std::vector<LoadedChange>> load_changes(const std::string& name) {
    std::vector<LoadedChange> loaded;
    for (const auto& adapter : adapters_) {
      const auto found = adapter->changes.find(name);
      if (found == adapter->changes.end()) continue;
      const Change& change = found->second;
      auto a = adapter->file.read_floats(*change.a);
      if (!a) return a.error();
      auto b = adapter->file.read_floats(*change.b);
      if (!b) return b.error();
      loaded.push_back({.a = *std::move(a),
                        .b = *std::move(b),
                        .rank = static_cast<std::size_t>(change.b->columns),
                        .factor = change.factor});
    }
    return loaded;
  }

  Result<void> write_merged(const Tensor& tensor) {
    auto changes = load_changes(tensor.name);
    if (!changes) return changes.error();
    std::vector<float> row(static_cast<std::size_t>(tensor.columns));
    for (int64_t at = 0; at < tensor.rows; ++at) {
      if (auto done = model_->read_row(tensor, at, row.data()); !done) return done;
      for (const LoadedChange& change : *changes)
        change.add_to(row, static_cast<std::size_t>(at));
      if (auto done = write_row(tensor, row); !done) return done;
    }
    return {};
  }

  Result<void> write_row(const Tensor& tensor, const std::vector<float>& row) {
    constexpr float kMaxF16 = 65504.0F;
    const bool half = merged_type(tensor) == GGML_TYPE_F16;
    for (const float value : row) {
      if (!std::isfinite(value) || (half && std::abs(value) > kMaxF16)) {
        return invalid_input(model_->subject() + ": tensor " + tensor.name +
                             " merged with its adapters has the value " + std::to_string(value) +
                             ", which can't be stored");
      }
    }
    if (!half) return write(row.data(), row.size() * sizeof(float));
    halves_.resize(row.size());
    ggml_fp32_to_fp16_row(row.data(), halves_.data(), static_cast<int64_t>(row.size()));
    return write(halves_.data(), halves_.size() * sizeof(ggml_fp16_t));
  }

  Result<void> write(const void* data, std::size_t size_bytes) {
    written_ += size_bytes;
    output_.write(static_cast<const char*>(data), static_cast<std::streamsize>(size_bytes));
    return output_ ? Result<void>() : not_written();
  }

  void pad() {
    const std::size_t alignment = gguf_get_alignment(model_->metadata());
    const std::vector<char> zeros((alignment - written_ % alignment) % alignment);
    (void)write(zeros.data(), zeros.size());  // a failure shows at the end
  }

  Error not_written() const {
    return {ErrorCode::kRuntime,
            options_.output_path + " can't be written" +
                (errno != 0 ? ": " + std::generic_category().message(errno) : std::string())};
  }

  const MergeOptions& options_;
  std::unique_ptr<GgufFile> model_;
  std::unique_ptr<GgufFile> target_;  // the model's metadata, as the output has it
  std::vector<std::unique_ptr<Adapter>> adapters_;
  std::ofstream output_;
  std::size_t written_ = 0;  // bytes after the metadata
  std::vector<ggml_fp16_t> halves_;
};

}  // namespace

Result<void> merge_adapters(const MergeOptions& options) {
  route_llama_log(options.log);
  if (auto started = start_backend(); !started) return started;
  return Merge(options).run();
}

}  // namespace rsd
