// The style sheet of report.html, light and dark.
#pragma once

#include <string_view>

namespace rsd {

inline constexpr std::string_view kReportStyle = R"css(
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #1b2330; --muted: #5d6878; --line: #dfe3e9;
  --bar: #dbe8fb; --warn-back: #fff4dc; --warn-line: #d9920a; --accent: #1f66c7;
  --plot-ink: #3a4454; --plot-muted: #7a8494; --plot-grid: #e6e9ee;
  --plot-0: #c2560c; --plot-1: #1f66c7; --plot-2: #0d8a5f; --plot-3: #8a3fc4; --plot-4: #b8336f;
  --plot-5: #8a6d00; --plot-6: #0b7f93; --plot-7: #5b6472;
  --plot-ramp-0: #8fb8ee; --plot-ramp-1: #5490dd; --plot-ramp-2: #1f66c7; --plot-ramp-3: #0c3f86;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #11151b; --card: #191f28; --ink: #e3e8ef; --muted: #99a4b3; --line: #2c3542;
    --bar: #24405f; --warn-back: #33290f; --warn-line: #d9a33a; --accent: #6ea8f5;
    --plot-ink: #c3ccd8; --plot-muted: #8792a2; --plot-grid: #29313d;
    --plot-0: #f08c4a; --plot-1: #6ea8f5; --plot-2: #45c795; --plot-3: #bd8cf0; --plot-4: #f07fb0;
    --plot-5: #d8b638; --plot-6: #45bfd4; --plot-7: #a3adba;
    --plot-ramp-0: #3f6ca8; --plot-ramp-1: #4f8bdc; --plot-ramp-2: #7db2f7; --plot-ramp-3: #c2dcff;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans",
    sans-serif; }
main { max-width: 1320px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 20px; margin: 44px 0 2px; }
p { margin: 6px 0; }
.muted, figcaption, dt, .tile span { color: var(--muted); }
code { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
.warning { background: var(--warn-back); border-left: 4px solid var(--warn-line);
  border-radius: 4px; padding: 10px 14px; margin: 10px 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 18px 0 0;
  padding: 14px 18px; }
dd { margin: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 12px;
  margin: 14px 0; }
.tile { padding: 10px 16px; }
.tile b { display: block; font-size: 22px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile span { display: block; font-size: 13px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(480px, 100%), 1fr));
  gap: 14px; margin: 14px 0; }
figure { margin: 0; padding: 12px 14px; }
figure svg { display: block; width: 100%; height: auto; }
figure h3 { font-size: 15px; margin: 0 0 6px; }
figcaption { font-size: 13px; margin-top: 4px; }
.wide { overflow-x: auto; margin: 14px 0; padding: 4px 6px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
th, td { padding: 5px 10px; text-align: left; }
th { font-weight: 600; color: var(--muted); border-bottom: 1px solid var(--line);
  white-space: normal; vertical-align: bottom; line-height: 1.25; }
th[title] { cursor: help; }
.n { text-align: right; }
tr.first td { border-top: 1px solid var(--line); }
tbody tr:hover td { background: color-mix(in srgb, var(--accent) 7%, transparent); }
td.share { background: linear-gradient(90deg, var(--bar) var(--share), transparent var(--share))
  no-repeat 4px center / calc(100% - 8px) 18px; }
details { margin: 10px 0; }
summary { cursor: pointer; color: var(--muted); }
ul { margin: 8px 0; padding-left: 22px; }
footer { margin-top: 40px; font-size: 13px; color: var(--muted); }
@media print { main { max-width: none; padding: 0; } figure, tr { break-inside: avoid; } }
)css";

}  // namespace rsd
