// Requests of a run, its topics and its corpus, as those who evaluate retrieval have them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/error.h"
#include "rsd/core/result.h"

namespace rsd {

// Files of UTF-8, not compressed. Blank lines are skipped; Windows line ends and a byte order mark
// are no faults. What a line tells that nobody asks for may be wrong. JSON lines may be the
// elements of one JSON array instead.
struct TrecFiles {
  // TREC's format, `qid Q0 docid rank score tag`, whose tag may be several words, or MS MARCO's,
  // `qid docid rank`. A topic's documents are in the order of their scores, as trec_eval has it,
  // ties by rank.
  std::string run;
  // Lines of `qid<tab>text`, also with a space or a colon where the tab is; or JSON lines with an
  // id (id, _id, qid, query_id, topic_id, number) and a text (text, query, title, question,
  // description); or, where the first line begins with '<', <top> or <topic> elements, of which the
  // number and the title count, or what stands for them (data/topic_elements.h).
  std::string topics;
  // Lines of `docid<tab>text`, `docid<tab>text<tab>title` or MS MARCO's
  // `docid<tab>address<tab>title<tab>text`; or JSON lines with an id (_id, id, pid, docid, doc_id,
  // docno, passage_id, of which several must be the same; but beside pid or passage_id the others
  // of documents are those of the document that the passage stands in) and a document as
  // data/request_reader.h has it (text, contents, …, and a title). A first line with the names of
  // the columns says which is which, here and in the topics. Read once, line by line; what the run
  // doesn't name is not kept. A document's text may be blank.
  std::vector<std::string> corpus;
  std::optional<std::size_t> depth;  // only a topic's first so many documents
};

struct TrecRequestLines {
  std::string text;  // a line a request
  std::size_t n_requests = 0;
  // Why the other topics of the run have none, in its order, with file, line and topic: a line of
  // the run, the topic or a document that can't be used or isn't there, or texts that make no
  // request (all blank, say).
  std::vector<Error> failures;
};

// Request lines in rank_llm's shape (data/request_reader.h), topics in the order of the run.
// kNotFound, kRuntime: a file that can't be read. kInvalidInput: a file without lines or without
// topics, and, where no topic is left, the first of the failures. Cost: memory for the documents
// that are named.
Result<TrecRequestLines> trec_request_lines(const TrecFiles& files);

}  // namespace rsd
