#include "rsd/agent/agent_file.h"

#include <ggml.h>
#include <gguf.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "rsd/core/check.h"
#include "rsd/core/file.h"
#include "rsd/core/shown_text.h"

namespace rsd {
namespace {

constexpr const char* kArchitecture = "rsd-agent";
constexpr std::string_view kNotes = "rsd.training.";

struct Free {
  void operator()(gguf_context* context) const { gguf_free(context); }
  void operator()(ggml_context* context) const { ggml_free(context); }
};

struct Size {
  const char* key;
  std::size_t NetworkShape::*field;
};
constexpr Size kSizes[] = {{"rsd.agent.d_model", &NetworkShape::d_model},
                           {"rsd.agent.n_heads", &NetworkShape::n_heads},
                           {"rsd.agent.n_layers", &NetworkShape::n_layers},
                           {"rsd.agent.d_feed_forward", &NetworkShape::d_feed_forward},
                           {"rsd.agent.d_pair", &NetworkShape::d_pair}};
constexpr const char* kMaxRounds = "rsd.agent.max_rounds";
constexpr const char* kListwise = "rsd.agent.listwise";
constexpr const char* kRoundHistory = "rsd.agent.round_history";
struct Features {
  const char* key;
  std::span<const std::string_view> (*names)();
};
constexpr Features kFeatures[] = {{"rsd.agent.features", &feature_names},
                                  {"rsd.agent.pair_features", &pair_feature_names}};
constexpr const char* kVersionKey = "rsd.agent.version";

void describe(gguf_context* file, const NetworkShape& shape, const AgentNotes& notes) {
  gguf_set_val_str(file, "general.architecture", kArchitecture);
  gguf_set_val_u32(file, kVersionKey, kAgentFileVersion);
  for (const Size& size : kSizes)
    gguf_set_val_u32(file, size.key, static_cast<std::uint32_t>(shape.*size.field));
  gguf_set_val_u32(file, kMaxRounds, static_cast<std::uint32_t>(shape.input.max_rounds));
  gguf_set_val_bool(file, kListwise, shape.input.listwise);
  gguf_set_val_bool(file, kRoundHistory, shape.input.round_history);
  for (const Features& features : kFeatures) {
    std::vector<const char*> names;
    for (const std::string_view name : features.names())
      names.push_back(name.data());  // string literals, so null-terminated
    gguf_set_arr_str(file, features.key, names.data(), names.size());
  }
  for (const auto& [name, text] : notes)
    gguf_set_val_str(file, (std::string(kNotes) + name).c_str(), text.c_str());
}

// Reads typed values from the metadata. The first value that is missing or of another type becomes
// the error.
class Reader {
 public:
  Reader(const gguf_context* file, std::string subject)
      : file_(file), subject_(std::move(subject)) {}

  Result<NetworkShape> shape() {
    if (auto checked = check_kind(); !checked) return checked.error();
    NetworkShape shape;
    for (const Size& size : kSizes)
      shape.*size.field = number(size.key);
    shape.input.max_rounds = number(kMaxRounds);
    shape.input.listwise = flag(kListwise);
    shape.input.round_history = flag(kRoundHistory);
    if (problem_) return *problem_;
    for (const Features& features : kFeatures)
      if (auto checked = check_features(features); !checked) return checked.error();
    return shape;
  }

  AgentNotes notes() const {
    AgentNotes notes;
    for (int64_t i = 0; i < gguf_get_n_kv(file_); ++i) {
      const std::string_view key = gguf_get_key(file_, i);
      if (!key.starts_with(kNotes) || gguf_get_kv_type(file_, i) != GGUF_TYPE_STRING) continue;
      notes.emplace(key.substr(kNotes.size()), gguf_get_val_str(file_, i));
    }
    return notes;
  }

  Error invalid(const std::string& what) const {
    return {ErrorCode::kInvalidInput, subject_ + " " + what};
  }

 private:
  int64_t find(const char* key, gguf_type type) {
    const int64_t at = gguf_find_key(file_, key);
    if (at >= 0 && gguf_get_kv_type(file_, at) == type) return at;
    if (!problem_) {
      problem_ = invalid("is damaged: " + std::string(key) + " is missing or not of type " +
                         gguf_type_name(type));
    }
    return -1;
  }
  std::size_t number(const char* key) {
    const int64_t at = find(key, GGUF_TYPE_UINT32);
    return at < 0 ? 0 : gguf_get_val_u32(file_, at);
  }
  bool flag(const char* key) {
    const int64_t at = find(key, GGUF_TYPE_BOOL);
    return at >= 0 && gguf_get_val_bool(file_, at);
  }

  Result<void> check_kind() {
    const int64_t at = gguf_find_key(file_, kVersionKey);
    if (at < 0 || gguf_get_kv_type(file_, at) != GGUF_TYPE_UINT32) {
      return invalid("is no agent of rsd: it has no " + std::string(kVersionKey));
    }
    const std::uint32_t version = gguf_get_val_u32(file_, at);
    if (version == kAgentFileVersion) return {};
    return invalid("is an agent of version " + std::to_string(version) +
                   "; this rsd reads version " + std::to_string(kAgentFileVersion));
  }

  Result<void> check_features(const Features& features) {
    const int64_t at = find(features.key, GGUF_TYPE_ARRAY);
    if (at < 0) return *problem_;
    const auto expected = features.names();
    const bool same = gguf_get_arr_type(file_, at) == GGUF_TYPE_STRING &&
                      gguf_get_arr_n(file_, at) == expected.size();
    for (std::size_t i = 0; same && i < expected.size(); ++i) {
      if (gguf_get_arr_str(file_, at, i) != expected[i]) {
        return invalid("sees other features than this rsd computes: \"" +
                       shown_text(gguf_get_arr_str(file_, at, i)) + "\" in place of \"" +
                       std::string(expected[i]) + "\"");
      }
    }
    return same ? Result<void>() : invalid("sees other features than this rsd computes");
  }

  const gguf_context* file_;
  std::string subject_;
  std::optional<Error> problem_;
};

// Copies the tensors of the file into the network's weights.
Result<void> read_weights(const gguf_context* file, std::string_view content, const Reader& reader,
                          RelevanceNetwork& network) {
  const auto n_tensors = static_cast<std::size_t>(gguf_get_n_tensors(file));
  if (n_tensors != network.tensors().size()) {
    return reader.invalid("has " + std::to_string(n_tensors) + " tensors; its shape needs " +
                          std::to_string(network.tensors().size()));
  }
  for (const WeightTensor& tensor : network.tensors()) {
    const int64_t at = gguf_find_tensor(file, tensor.name.c_str());
    if (at < 0) return reader.invalid("is damaged: tensor " + tensor.name + " is missing");
    const auto values = network.weights().subspan(tensor.offset, tensor.size());
    const int64_t* extent = gguf_get_tensor_ne(file, at);
    const bool fits = extent[0] == static_cast<int64_t>(tensor.columns) &&
                      extent[1] == static_cast<int64_t>(tensor.rows);
    if (gguf_get_tensor_type(file, at) != GGML_TYPE_F32 || !fits ||
        gguf_get_tensor_size(file, at) != values.size_bytes()) {
      return reader.invalid("is damaged: tensor " + tensor.name + " must be " +
                            std::to_string(tensor.rows) + " x " + std::to_string(tensor.columns) +
                            " of type f32");
    }
    const std::size_t begin = gguf_get_data_offset(file) + gguf_get_tensor_offset(file, at);
    if (begin > content.size() || values.size_bytes() > content.size() - begin) {
      return reader.invalid("is truncated: it ends within tensor " + tensor.name);
    }
    std::memcpy(values.data(), content.data() + begin, values.size_bytes());
    if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) {
      return reader.invalid("is damaged: tensor " + tensor.name +
                            " has a value that is not finite");
    }
  }
  return {};
}

Result<std::string> content_of(const std::string& path, const std::string& subject) {
  auto content = read_file(path);
  if (content) return content;
  const bool is_open = content.error().code() != ErrorCode::kNotFound;
  return Error(ErrorCode::kNotFound, subject + (is_open ? " can't be read" : " can't be opened"));
}

}  // namespace

std::string serialised(const AgentFile& agent) {
  const RelevanceNetwork& network = agent.network;
  const std::unique_ptr<gguf_context, Free> file(gguf_init_empty());
  const std::unique_ptr<ggml_context, Free> tensors(
      ggml_init({.mem_size = ggml_tensor_overhead() * (network.tensors().size() + 1),
                 .mem_buffer = nullptr,
                 .no_alloc = true}));
  describe(file.get(), network.shape(), agent.notes);
  for (const WeightTensor& tensor : network.tensors()) {
    ggml_tensor* described =
        ggml_new_tensor_2d(tensors.get(), GGML_TYPE_F32, static_cast<int64_t>(tensor.columns),
                           static_cast<int64_t>(tensor.rows));
    ggml_set_name(described, tensor.name.c_str());
    gguf_add_tensor(file.get(), described);
  }
  std::string content(gguf_get_meta_size(file.get()), '\0');
  gguf_get_meta_data(file.get(), content.data());
  const std::size_t data = content.size();
  for (const WeightTensor& tensor : network.tensors()) {
    const int64_t at = gguf_find_tensor(file.get(), tensor.name.c_str());
    content.resize(data + gguf_get_tensor_offset(file.get(), at));
    const auto values = network.weights().subspan(tensor.offset, tensor.size());
    content.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  }
  return content;
}

Result<AgentFile> load_agent(const std::string& path) {
  const std::string subject = "agent " + path;
  const auto content = content_of(path, subject);
  if (!content) return content.error();
  if (!content->starts_with("GGUF")) {
    return Error(ErrorCode::kInvalidInput,
                 subject + " is no GGUF file: it doesn't begin with GGUF");
  }
  const std::unique_ptr<gguf_context, Free> file(
      gguf_init_from_buffer(content->data(), content->size(), {.no_alloc = true, .ctx = nullptr}));
  if (!file) return Error(ErrorCode::kInvalidInput, subject + " is damaged or truncated");
  Reader reader(file.get(), subject);
  const auto shape = reader.shape();
  if (!shape) return shape.error();
  // Checked before allocating the sizes that a damaged file claims.
  if (shape->d_model * (shape->d_model + shape->d_feed_forward) > content->size()) {
    return reader.invalid("is damaged: it is too small for the shape that it names");
  }
  auto network = RelevanceNetwork::untrained(*shape, 0);
  if (!network) return reader.invalid("is damaged: " + network.error().message());
  if (auto read = read_weights(file.get(), *content, reader, *network); !read) return read.error();
  return AgentFile{.network = *std::move(network), .notes = reader.notes()};
}

}  // namespace rsd
