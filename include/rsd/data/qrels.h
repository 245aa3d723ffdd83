// Relevance judgements in TREC's format: `qid iteration docid grade`, white space between.
#pragma once

#include <map>
#include <string>

#include "rsd/core/result.h"

namespace rsd {

// Grades by query id, then by document id.
using Qrels = std::map<std::string, std::map<std::string, int>>;

// Blank lines are skipped; Windows line ends and a byte order mark are no faults.
// kNotFound when the file can't be opened; kInvalidInput with "<path>:<line>: …" for a line without
// four fields, a grade that is no integer, invalid UTF-8, or a (query, document) pair that stands
// twice, and for a file without judgements.
Result<Qrels> read_qrels(const std::string& path);

}  // namespace rsd
