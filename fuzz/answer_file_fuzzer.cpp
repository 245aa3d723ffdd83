// Answers of an earlier run: as drafts (--previous), and as what --resume keeps.
#include "fuzz/memory_file.h"
#include "fuzz/target.h"
#include "rsd/data/answer_reader.h"
#include "rsd/data/resumable_output.h"

namespace rsd::fuzz {

void take_input(std::string_view input) {
  const MemoryFile file(input);
  const Request request{
      .id = "q1",
      .query = "q",
      .candidates = {
          {.id = "d1", .text = "a"}, {.id = "d2", .text = "b"}, {.id = "d3", .text = "c"}}};
  if (const auto answers = PreviousAnswers::read(file.path()); is_value(answers)) {
    const auto draft = answers->draft_for(request);
    require(!draft || draft->size() == request.candidates.size(), "a draft has all candidates");
  }
  (void)is_value(changed_conditions(file.path(), {{"model", "m"}}));
}

}  // namespace rsd::fuzz
