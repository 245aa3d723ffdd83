// Selects the charts of a dataset's figures.
#pragma once

#include <string>
#include <vector>

#include "eval/chart.h"
#include "rsd/eval/results.h"

namespace rsd {

struct Figure {
  Chart chart;
  std::string caption;
};

// Agreement over T, decode time over T, total time over T, and the disagreement by position. Charts
// without data are left out. `id` is the prefix of the charts' ids.
std::vector<Figure> figures_of(const DatasetResults& dataset, const std::string& id);

}  // namespace rsd
