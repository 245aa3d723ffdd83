#include "eval/drawing.h"

#include "eval/html.h"

namespace rsd {

std::string Drawing::figures(const std::vector<Figure>& figures) {
  std::string html;
  for (const Figure& figure : figures) {
    if (failure_) break;
    auto svg = draw_svg(figure.chart, gnuplot_);
    if (!svg) {
      failure_ = svg.error().message();
      break;
    }
    html += element("figure",
                    text_element("h3", figure.chart.title) + *svg +
                        text_element("figcaption", figure.caption),
                    "class=\"card\"") +
            "\n";
  }
  return html.empty() ? "" : element("div", html, "class=\"figures\"") + "\n";
}

}  // namespace rsd
