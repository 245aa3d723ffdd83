#include "rsd/llm/prepare_model.h"

#include <ggml.h>
#include <gguf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "rsd/core/check.h"
#include "rsd/prompt/prompt_builder.h"
#include "support/items.h"

namespace rsd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kBpe = "tests/models/tiny-bpe.gguf";
const std::string kMamba = "tests/models/tiny-mamba.gguf";
const std::string kLora = "tests/models/tiny-lora.gguf";
const std::string kWrongLora = "tests/models/tiny-lora-wrong.gguf";

// By how much the tiny model's logits, which reach 6.6, may differ in each type: a third to three
// times what was measured, since CPUs round otherwise. Below it, the weights are of a finer type.
struct Nearness {
  WeightType type;
  double least, most;
};
constexpr Nearness kAllTypes[] = {{WeightType::kF32, 0, 5e-3},    {WeightType::kF16, 0.01, 0.08},
                                  {WeightType::kBf16, 0.1, 1},    {WeightType::kQ8_0, 0.25, 2.2},
                                  {WeightType::kQ5_1, 0.8, 7.5},  {WeightType::kQ5_0, 0.5, 5},
                                  {WeightType::kQ4_1, 1.2, 11.5}, {WeightType::kQ4_0, 3, 27}};

std::string content_of(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

// All logits of a ranking of eight items, row by row.
std::vector<float> logits(const std::string& model, const std::vector<LoraFile>& loras = {}) {
  auto engine = LlamaEngine::load({.model_path = model, .loras = loras, .threads = 1});
  RSD_CHECK(engine.ok(), engine ? "" : engine.error().message().c_str());
  Request request{.id = "r", .query = "how do bees make honey?"};
  for (int i = 0; i < 8; ++i)
    request.candidates.push_back({.id = std::to_string(i),
                                  .text = std::string("text ") + static_cast<char>('a' + i),
                                  .first_stage_score = std::nullopt});
  const PromptBuilder builder((*engine)->tokenizer(), {});
  auto prompt = builder.build(request, (*engine)->info().context_size);
  RSD_CHECK(prompt.ok(), "the prompt");
  auto scorer = (*engine)->open(*std::move(prompt));
  RSD_CHECK(scorer.ok() && (*scorer)->prefill(std::nullopt).ok(), "the prefill");
  const auto proposal = items({7, 6, 5, 4, 3, 2, 1, 0});
  auto done = (*scorer)->encode({.proposal = proposal, .rows = {0, 8}, .give_up_at = std::nullopt});
  RSD_CHECK(done.ok(), "the encoding");
  std::vector<float> all;
  for (std::size_t j = 0; j < done->rows.n_rows(); ++j)
    std::ranges::copy(done->rows.row(j), std::back_inserter(all));
  return all;
}

double difference(const std::vector<float>& a, const std::vector<float>& b) {
  RSD_CHECK(a.size() == b.size() && !a.empty(), "as many logits");
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double gap = std::abs(static_cast<double>(a[i]) - b[i]);
    largest = std::isnan(gap) ? INFINITY : std::max(largest, gap);
  }
  return largest;
}

class PrepareModel : public testing::Test {
 protected:
  PrepareModel() : folder_(testing::TempDir() + "rsd_prepare_" + std::to_string(getpid()) + "/") {
    std::filesystem::create_directories(folder_);
  }
  ~PrepareModel() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name) const { return folder_ + name; }

  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(file(name), std::ios::binary) << content;
    return file(name);
  }

  // The tiny adapter with the first `n` occurrences of `what` replaced by as many bytes.
  std::string changed_lora(const std::string& what, const std::string& by, int n = 1) const {
    RSD_CHECK(what.size() == by.size(), "the file's layout must stay");
    std::string content = content_of(kLora);
    for (std::size_t at = 0; n > 0 && (at = content.find(what, at)) != std::string::npos; --n)
      content.replace(at, by.size(), by);
    return write("changed.gguf", content);
  }

  std::string merged(const std::string& model, const std::vector<LoraFile>& loras) const {
    const auto done =
        merge_adapters({.model_path = model, .loras = loras, .output_path = file("merged.gguf")});
    RSD_CHECK(done.ok(), done ? "" : done.error().message().c_str());
    return file("merged.gguf");
  }

  std::string quantized(const std::string& model, WeightType type) const {
    const std::string path = file(std::string(to_string(type)) + ".gguf");
    const auto done =
        quantize_model({.model_path = model, .output_path = path, .type = type, .threads = 1});
    RSD_CHECK(done.ok(), done ? "" : done.error().message().c_str());
    return path;
  }

  Error merge_error(const std::string& model, const std::vector<LoraFile>& loras) const {
    const auto done =
        merge_adapters({.model_path = model, .loras = loras, .output_path = file("merged.gguf")});
    return done ? Error(ErrorCode::kRuntime, "no error") : done.error();
  }

  // The tiny adapter, which says that it was tuned for this layout.
  std::string lora_of_layout(const char* layout) const {
    ggml_context* tensors = nullptr;
    gguf_context* adapter =
        gguf_init_from_file(kLora.c_str(), {.no_alloc = false, .ctx = &tensors});
    RSD_CHECK(adapter != nullptr, "the adapter");
    gguf_context* named = gguf_init_empty();
    gguf_set_kv(named, adapter);
    gguf_set_val_str(named, kPromptLayoutKey, layout);
    for (int64_t t = 0; t < gguf_get_n_tensors(adapter); ++t)
      gguf_add_tensor(named, ggml_get_tensor(tensors, gguf_get_tensor_name(adapter, t)));
    RSD_CHECK(gguf_write_to_file(named, file("named.gguf").c_str(), false), "writing the adapter");
    gguf_free(named);
    gguf_free(adapter);
    ggml_free(tensors);
    return file("named.gguf");
  }

  std::string folder_;
};

// Rounding only: F32 weights, and B (A x) in place of (B A) x. Measured: 2.5e-4; logits reach 6.6.
constexpr double kTolerance = 5e-3;

TEST_F(PrepareModel, MergedF32LogitsEqualTheAdaptersAtRunTime) {
  const std::vector<LoraFile> loras{{.path = kLora, .scale = 0.5F}};
  const auto expected = logits(kBpe, loras);
  EXPECT_GT(difference(expected, logits(kBpe)), 0.05);
  const double gap = difference(logits(merged(kBpe, loras)), expected);
  std::cout << "logits differ by at most " << gap << " of " << std::ranges::max(expected) << "\n";
  EXPECT_LT(gap, kTolerance);
}

TEST_F(PrepareModel, AdaptersAddUp) {
  const std::vector<LoraFile> loras{{.path = kLora, .scale = 0.75F},
                                    {.path = kLora, .scale = -0.5F}};
  EXPECT_LT(difference(logits(merged(kBpe, loras)), logits(kBpe, loras)), kTolerance);
}

TEST_F(PrepareModel, KeepsTheLayoutThatAnAdapterIsTunedFor) {
  const std::vector<LoraFile> loras{{.path = lora_of_layout("blocks")}};
  const auto layout_of = [](const LlamaOptions& options) {
    const auto engine = LlamaEngine::load(options);
    RSD_CHECK(engine.ok(), engine ? "" : engine.error().message().c_str());
    return (*engine)->info().prompt_layout;
  };
  EXPECT_EQ(layout_of({.model_path = kBpe, .threads = 1}), std::nullopt);
  EXPECT_EQ(layout_of({.model_path = kBpe, .loras = loras, .threads = 1}), PromptLayout::kBlocks);
  const std::string prepared = quantized(merged(kBpe, loras), WeightType::kF16);
  EXPECT_EQ(layout_of({.model_path = prepared, .threads = 1}), PromptLayout::kBlocks);

  const std::vector<LoraFile> unknown{{.path = lora_of_layout("spirals")}};
  const auto engine = LlamaEngine::load({.model_path = kBpe, .loras = unknown, .threads = 1});
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(engine.error().message(), HasSubstr("spirals"));
}

TEST_F(PrepareModel, WithoutAdaptersTheModelIsCopied) {
  EXPECT_EQ(content_of(merged(kBpe, {})), content_of(kBpe));
}

TEST_F(PrepareModel, QuantisedModelsAreMergedInF16) {
  const std::string base = quantized(kBpe, WeightType::kQ8_0);
  const std::vector<LoraFile> loras{{.path = kLora}};
  // Their kernels round activations to 8 bits, those of F16 don't.
  const double gap = difference(logits(merged(base, loras)), logits(base, loras));
  std::cout << "logits differ by at most " << gap << "\n";
  EXPECT_LT(gap, 0.5);
}

TEST_F(PrepareModel, MetadataIsKeptButForTheFileType) {
  const auto read = [](const std::string& path) {
    return std::unique_ptr<gguf_context, decltype(&gguf_free)>(
        gguf_init_from_file(path.c_str(), {.no_alloc = true, .ctx = nullptr}), &gguf_free);
  };
  const auto before = read(kBpe);
  const auto after = read(merged(kBpe, {{.path = kLora}}));
  for (int64_t i = 0; i < gguf_get_n_kv(before.get()); ++i) {
    const char* key = gguf_get_key(before.get(), i);
    const int64_t at = gguf_find_key(after.get(), key);
    ASSERT_GE(at, 0) << key;
    EXPECT_EQ(gguf_get_kv_type(after.get(), at), gguf_get_kv_type(before.get(), i)) << key;
  }
  const int64_t type = gguf_find_key(after.get(), "general.file_type");
  ASSERT_GE(type, 0);
  EXPECT_EQ(gguf_get_val_u32(after.get(), type), 0U);
}

TEST_F(PrepareModel, EveryTypeGivesAModelAsNearTheOriginalAsItsPrecision) {
  const auto expected = logits(kBpe);
  for (const auto& [type, least, most] : kAllTypes) {
    const double gap = difference(logits(quantized(kBpe, type)), expected);
    std::cout << to_string(type) << ": logits differ by at most " << gap << "\n";
    EXPECT_GE(gap, least) << to_string(type);
    EXPECT_LE(gap, most) << to_string(type);
  }
}

TEST_F(PrepareModel, RecurrentModelsCanBeQuantised) {
  EXPECT_FALSE(logits(quantized(kMamba, WeightType::kQ8_0)).empty());
}

TEST(WeightTypes, NamesAreReadBackAndOthersAreTold) {
  for (const Nearness& known : kAllTypes)
    EXPECT_EQ(*parse_weight_type(to_string(known.type)), known.type);
  const auto unknown = parse_weight_type("q3");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(unknown.error().message(), AllOf(HasSubstr("\"q3\""), HasSubstr("q8_0")));
}

TEST_F(PrepareModel, MissingFilesAreNotFound) {
  EXPECT_EQ(merge_error("none.gguf", {}).code(), ErrorCode::kNotFound);
  EXPECT_EQ(merge_error(kBpe, {{.path = "none.gguf"}}).code(), ErrorCode::kNotFound);
  const auto done = quantize_model({.model_path = "none.gguf", .output_path = file("q.gguf")});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::kNotFound);
}

TEST_F(PrepareModel, AdapterOfAnotherShapeIsToldByFileTensorAndShapes) {
  const Error error = merge_error(kBpe, {{.path = kWrongLora}});
  EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
  EXPECT_THAT(error.message(),
              AllOf(HasSubstr(kWrongLora), HasSubstr(kBpe), HasSubstr("4 x 64"),
                    HasSubstr("32 x 32"), HasSubstr("blk.0.attn_output.weight.lora_a")));
}

TEST_F(PrepareModel, AnUnusableAdapterIsAnErrorThatNamesFileAndTensor) {
  const auto expect = [&](const std::string& path, const std::string& reason) {
    const Error error = merge_error(kBpe, {{.path = path}});
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput) << error.message();
    EXPECT_THAT(error.message(), AllOf(HasSubstr(path), HasSubstr(reason)));
    EXPECT_FALSE(std::filesystem::exists(file("merged.gguf"))) << "what is wrong is found first";
  };
  expect(kBpe, "is no LoRA adapter");
  expect(changed_lora("blk.0.attn_q", "blk.7.attn_q", 2), "blk.7.attn_q.weight, which model");
  expect(changed_lora("attn_q.weight.lora_a", "attn_q.weight.lora_x"), "ends neither in");
  expect(changed_lora("blk.0.attn_q.weight.lora_b", "blk.0.attn_k.weight.lora_b"), "is missing");
  expect(changed_lora("llama", "gemma"), "is for the architecture gemma");
  expect(changed_lora("adapter.type", "adapter.tipe"), "is no LoRA adapter");
  EXPECT_THAT(merge_error(kMamba, {{.path = kLora}}).message(),
              HasSubstr("architecture llama, model " + kMamba + " is of mamba"));
}

TEST_F(PrepareModel, AnAdapterIsNoModel) {
  EXPECT_THAT(merge_error(kLora, {}).message(), HasSubstr("is no model"));
}

TEST_F(PrepareModel, FactorThatIsNotFiniteIsInvalid) {
  const LoraFile lora{.path = kLora, .scale = std::numeric_limits<float>::infinity()};
  EXPECT_EQ(merge_error(kBpe, {lora}).code(), ErrorCode::kInvalidInput);
}

TEST_F(PrepareModel, ValuesThatAreNotFiniteAreToldByTensor) {
  std::string content = content_of(kLora);
  content.replace(content.size() - 4, 4, std::string("\0\0\x80\x7f", 4));  // infinity
  const Error error = merge_error(kBpe, {{.path = write("inf.gguf", content)}});
  EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
  EXPECT_THAT(error.message(), HasSubstr("blk.1.ffn_down.weight"));
}

TEST_F(PrepareModel, TruncatedFilesAreInvalidAtEveryLength) {
  for (const auto& [whole, is_model] : {std::pair(kBpe, true), std::pair(kLora, false)}) {
    const std::string content = content_of(whole);
    for (std::size_t size = 0; size < content.size(); size += content.size() / 23) {
      const std::string cut = write("cut.gguf", content.substr(0, size));
      const Error error =
          is_model ? merge_error(cut, {{.path = kLora}}) : merge_error(kBpe, {{.path = cut}});
      EXPECT_EQ(error.code(), ErrorCode::kInvalidInput) << whole << " cut to " << size;
    }
  }
}

TEST_F(PrepareModel, OutputThatCannotBeWrittenIsARuntimeError) {
  const std::string path = file("none/out.gguf");
  for (const auto& done :
       {merge_adapters({.model_path = kBpe, .loras = {}, .output_path = path}),
        quantize_model({.model_path = kBpe, .output_path = path, .type = WeightType::kF16})}) {
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code(), ErrorCode::kRuntime);
  }
}

}  // namespace
}  // namespace rsd
