// Requests of a run, its topics and its corpus, as those who evaluate retrieval have them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

// Files of UTF-8, not compressed. Blank lines are skipped; Windows line ends and a byte order mark
// are no faults.
struct TrecFiles {
  // TREC's format, `qid Q0 docid rank score tag`. A topic's documents are in the order of their
  // scores, as trec_eval has it, ties by rank.
  std::string run;
  // Lines of `qid<tab>text`; or JSON lines with an id (_id, id, qid) and a text (text, query,
  // title); or, where the first line begins with '<', TREC's <top> elements, of which <num> and
  // <title> count.
  std::string topics;
  // Lines of `docid<tab>text`; or JSON lines with an id (_id, id, docid) and a document as
  // data/request_reader.h has it (text, contents, …, and a title). Read once, line by line; what
  // the run doesn't name is not kept. A document whose text is empty is shown as "(empty)".
  std::vector<std::string> corpus;
  std::optional<std::size_t> depth;  // only a topic's first so many documents
};

// Request lines in rank_llm's shape (data/request_reader.h), topics in the order of the run.
// kNotFound, kRuntime: a file that can't be read. kInvalidInput: a line that is none of the above
// ("<path>:<line>: …"), a document that stands twice in a topic, a topic or document that the run
// names and no file has, a file without lines. Cost: memory for the documents that are named.
Result<std::string> trec_request_lines(const TrecFiles& files);

}  // namespace rsd
