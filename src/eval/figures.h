// Which charts a dataset's figures make.
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

// Agreement over T, decode time over T, total time over T, and where in the list the disagreements
// are. Charts without data are left out. `id` goes before the charts' ids.
std::vector<Figure> figures_of(const DatasetResults& dataset, const std::string& id);

}  // namespace rsd
