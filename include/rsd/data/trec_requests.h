// Makes requests from TREC-style files: a run, its topics and its corpus.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

// The files are UTF-8, not compressed. Blank lines are skipped; Windows line ends and a byte order
// mark are accepted. A bad line is an error only if its data are needed. JSON lines may instead be
// the elements of one JSON array.
struct TrecFiles {
  // TREC's format, `qid Q0 docid rank score tag`, whose tag may have several words, or MS MARCO's,
  // `qid docid rank`. A topic's documents are ordered by score, as in trec_eval, ties by rank.
  std::string run;
  // Lines of `qid<tab>text`, or with a space or a colon in place of the tab; or JSON lines with an
  // id (id, _id, qid, query_id, topic_id, number) and a text (text, query, title, question,
  // description); or, if the first line begins with '<', <top> or <topic> elements with a number
  // and a title or their equivalents (data/topic_elements.h).
  std::string topics;
  // Lines of `docid<tab>text`, `docid<tab>text<tab>title` or MS MARCO's
  // `docid<tab>address<tab>title<tab>text`; or JSON lines with an id (_id, id, pid, docid, doc_id,
  // docno, passage_id; several must agree, but for the document ids beside a pid or passage_id,
  // which name the document that contains the passage) and a document as in data/request_reader.h
  // (text, contents, …, and a title). A header line with the names of the columns may determine
  // their order, here and in the topics. Files are read once, line by line; documents that the run
  // doesn't name are not kept. A document's text may be blank.
  std::vector<std::string> corpus;
  std::optional<std::size_t> depth;  // take only a topic's first `depth` documents
};

// kInvalidArgument: some of run, topics and corpus without the others, or a depth without them.
// Messages name them as flags, "--run".
Result<void> check(const TrecFiles& files);

struct TrecRequestLines {
  std::string text;  // one line per request
  std::size_t n_requests = 0;
  // The reasons why other topics of the run have no request, in its order, with file, line and
  // topic: an invalid line of the run, an invalid or missing topic or document, or texts that make
  // no request (all blank, say).
  std::vector<Error> failures;
};

// Request lines in rank_llm's shape (data/request_reader.h), topics in the order of the run.
// kNotFound, kRuntime: a file that can't be read. kInvalidInput: a file without lines or without
// topics; if no topic is left, the first of the failures. Cost: memory for the documents that the
// run names.
Result<TrecRequestLines> trec_request_lines(const TrecFiles& files);

}  // namespace rsd
