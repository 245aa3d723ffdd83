// Relevance judgements in TREC's format, `qid iteration docid grade`, or BEIR's, `qid docid grade`
// with a line of names before them; white space between.
#pragma once

#include <map>
#include <string>

#include "rsd/core/result.h"

namespace rsd {

// Grades by query id, then by document id.
using Qrels = std::map<std::string, std::map<std::string, int>>;

// Blank lines are skipped; Windows line ends and a byte order mark are no faults, and 1.0 is a
// grade of 1. kNotFound when the file can't be opened; kInvalidInput with "<path>:<line>: …" for a
// line without three or four fields, a grade that is no integer, invalid UTF-8, a (query, document)
// pair that stands twice, for a file that is compressed, and for one without judgements.
Result<Qrels> read_qrels(const std::string& path);

}  // namespace rsd
