// Hugging Face's tokenizer.json and, after kBetweenParts, the tokenizer_config.json beside it.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "fuzz/target.h"
#include "rsd/llm/load_tokenizer.h"

namespace rsd::fuzz {
namespace {

// Of this process; goes with it.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "rsd-fuzz-XXXXXX").string();
    require(::mkdtemp(name.data()) != nullptr, "a folder can be made");
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  void put(const std::string& name, std::string_view content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace

void take_input(std::string_view input) {
  static const Folder kFolder;
  const auto parts = parts_of(input, 2);
  kFolder.put("tokenizer.json", parts[0]);
  kFolder.put("tokenizer_config.json", parts[1].empty() ? "{}" : parts[1]);
  const auto tokenizer = load_tokenizer(kFolder.path(), {});
  if (!is_value(tokenizer)) return;
  for (const auto token : (*tokenizer)->encode_text("How to split peas?\n<|im_end|> \xC3\xA9"))
    (void)(*tokenizer)->piece(token);
  (void)(*tokenizer)->chat_frame(true);
}

}  // namespace rsd::fuzz
