#include "options/trec_options.h"

#include "options/option_checks.h"

namespace rsd::cli {

void add_trec_options(CLI::App& command, TrecFiles& files) {
  const std::string group = "A run, topics and a corpus";
  command
      .add_option("--run", files.run, "TREC run: qid Q0 docid rank score tag; or qid docid rank")
      ->check(not_empty())
      ->type_name("FILE")
      ->group(group);
  command
      .add_option("--topics", files.topics,
                  "Lines of qid<tab>text, JSON (_id, qid, … and text, query, …), or <top>, <topic> "
                  "elements")
      ->check(not_empty())
      ->type_name("FILE")
      ->group(group);
  command
      .add_option("--corpus", files.corpus,
                  "Lines of docid<tab>text[<tab>title], or JSON (_id, docno, … and title, text, …)")
      ->check(not_empty())
      ->type_name("FILE...")
      ->group(group);
  command.add_option("--depth", files.depth, "Only the first N documents of each topic")
      ->check(whole_number(1, 1'000'000))
      ->type_name("N")
      ->group(group);
}

Result<void> check(const TrecFiles& files) {
  const bool has_all = !files.run.empty() && !files.topics.empty() && !files.corpus.empty();
  const bool has_any =
      !files.run.empty() || !files.topics.empty() || !files.corpus.empty() || files.depth;
  if (has_all || !has_any) return {};
  return Error(ErrorCode::kInvalidArgument,
               "--run, --topics and --corpus go together, and --depth goes with them");
}

}  // namespace rsd::cli
