// Runs a fuzz target on the files of folders, without libFuzzer: ctest replays the committed inputs
// in every build. usage: fuzz_replay_TARGET FOLDER...
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::vector<std::filesystem::path> files_in(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  if (!std::filesystem::is_directory(folder)) return files;  // a target without regressions
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

void replay(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  std::printf("%s: %zu bytes\n", path.c_str(), bytes.size());
  std::fflush(stdout);  // the input that ends the process is the last that is named
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

int main(int argc, char** argv) try {
  std::size_t n_files = 0;
  for (int n = 1; n < argc; ++n) {
    for (const auto& path : files_in(argv[n])) {
      replay(path);
      ++n_files;
    }
  }
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(""), 0);
  if (n_files > 0) return 0;
  std::fputs("fuzz_replay: there is no input in the folders\n", stderr);
  return 1;
} catch (const std::exception& failure) {
  std::fprintf(stderr, "fuzz_replay: an exception left the target: %s\n", failure.what());
  return 1;
}
