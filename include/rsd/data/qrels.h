// Reads relevance judgements in TREC's format, `qid iteration docid grade`, or in BEIR's, `qid
// docid grade` after a header line; fields are separated by white space.
#pragma once

#include <map>
#include <string>

#include "rsd/core/result.h"

namespace rsd {

// Grades by query id, then by document id.
using Qrels = std::map<std::string, std::map<std::string, int>>;

// Skips blank lines, accepts Windows line ends and a byte order mark, and reads 1.0 as the grade 1.
// kNotFound when the file can't be opened; kInvalidInput with "<path>:<line>: …" for a line without
// three or four fields, a grade that is not an integer, invalid UTF-8 or a repeated (query,
// document) pair; also for a compressed file and one without judgements.
Result<Qrels> read_qrels(const std::string& path);

}  // namespace rsd
