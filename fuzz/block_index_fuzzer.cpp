// An index of candidates. In the builds of fuzzers any checksum is right
// (llm/block_index_format.cpp), so that inputs reach what it guards.
#include <unistd.h>

#include <filesystem>
#include <string>

#include "fuzz/memory_file.h"
#include "fuzz/target.h"
#include "llm/block_index.h"
#include "llm/cell_state.h"

namespace rsd::fuzz {
namespace {

// A folder with one file, whose content changes.
class IndexFolder {
 public:
  IndexFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "rsd-fuzz-XXXXXX").string();
    require(::mkdtemp(name.data()) != nullptr, "a folder can be made");
    path_ = name;
    std::filesystem::create_symlink(file_.path(), block_index_path(path_));
  }
  IndexFolder(const IndexFolder&) = delete;
  IndexFolder& operator=(const IndexFolder&) = delete;
  ~IndexFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  MemoryFile& file() noexcept { return file_; }
  const std::string& path() const noexcept { return path_; }

 private:
  MemoryFile file_;
  std::string path_;
};

// The block of each record, whichever digest leads to it.
void read_records(const MappedFile& file) {
  const auto trailer = parse_trailer(file.path(), file.bytes());
  if (!is_value(trailer)) return;
  for (const auto& entries : {trailer->ids, trailer->blocks}) {
    for (const BlockIndexEntry& entry : entries) {
      const auto record = parse_record(file.path(), file.bytes(), entry.offset);
      if (!is_value(record)) continue;
      require(record->end <= file.bytes().size(), "a record lies in the file");
      (void)is_value(check_state(file.path(), *record));
      (void)is_value(cell_layout(record->state));
      (void)is_value(packed_q8_0(record->state));
      (void)is_value(unpacked_q8_0(record->state));
    }
  }
}

}  // namespace

void take_input(std::string_view input) {
  static IndexFolder folder;
  folder.file().set(input);
  const auto index = BlockIndex::open(folder.path());
  if (!is_value(index)) return;
  for (const char* id : {"d0", "d1", ""})
    (void)is_value((*index)->text_of(id));
  (void)is_value((*index)->find((*index)->key().head));
  (void)is_value((*index)->head_state());
  (void)why_not_for((*index)->key(), {});
  if (const auto mapped = MappedFile::open(folder.file().path()); is_value(mapped))
    read_records(*mapped);
}

}  // namespace rsd::fuzz
