#include "options/trec_options.h"

#include "options/flags.h"

namespace rsd::cli {

void add_trec_options(CLI::App& command, TrecFiles& files) {
  Flags flags(command, "A run, topics and a corpus");
  flags.add({"--run", "FILE", "TREC run: qid Q0 docid rank score tag; or qid docid rank"},
            files.run, not_empty());
  flags.add({"--topics", "FILE",
             "Lines of qid<tab>text, JSON (_id, qid, … and text, query, …), or <top>, <topic> "
             "elements"},
            files.topics, not_empty());
  flags.add({"--corpus", "FILE...",
             "Lines of docid<tab>text[<tab>title], or JSON (_id, docno, … and title, text, …)"},
            files.corpus, not_empty());
  flags.add({"--depth", "N", "Only the first N documents of each topic"}, files.depth,
            whole_number(1, kMaxCount));
}

}  // namespace rsd::cli
