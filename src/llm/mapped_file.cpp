#include "llm/mapped_file.h"

#include <sys/mman.h>

#include <cerrno>
#include <system_error>

namespace rsd {

Result<MappedFile> MappedFile::open(const std::string& path) {
  auto file = FileWatch::open(path);
  if (!file) return file.error();
  MappedFile opened(*std::move(file));
  const std::size_t n_bytes = opened.file_.n_bytes();
  if (n_bytes == 0) return opened;
  void* const mapped = ::mmap(nullptr, n_bytes, PROT_READ, MAP_SHARED, opened.file_.file(), 0);
  if (mapped == MAP_FAILED) {
    return Error(ErrorCode::kRuntime,
                 path + ": can't be mapped into memory: " + std::generic_category().message(errno));
  }
  opened.bytes_ = {static_cast<const std::uint8_t*>(mapped), n_bytes};
  return opened;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size());
}

}  // namespace rsd
