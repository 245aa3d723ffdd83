// Reads all documents of a corpus.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

struct CorpusDocument {
  std::string id;
  std::string text;  // "title. text"; may be blank
};

using OnDocument = std::function<Result<void>(const CorpusDocument& document)>;

// Calls `on_document` for each document of the files, whose formats are those of TrecFiles::corpus
// (rsd/data/trec_requests.h), in their order. Ids may come twice. Ends with the first error: of
// on_document, or kInvalidInput for a line that can't be read, each with path and line; else as for
// a corpus of TrecFiles. Holds one document at a time.
Result<void> for_each_document(const std::vector<std::string>& corpus,
                               const OnDocument& on_document);

}  // namespace rsd
