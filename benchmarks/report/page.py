"""Tables and plots as one HTML page that needs nothing else."""

from __future__ import annotations

import html
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from gnuplot import draw  # noqa: E402

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
td small { opacity: .65; } figure { margin: 1rem 0; overflow-x: auto; }
figure svg { background: #fff; border-radius: 4px; max-width: 100%; height: auto; }
pre { background: var(--soft); padding: .7rem; overflow-x: auto; font-size: 12px; }
figcaption, p.note { opacity: .8; max-width: 46rem; } .wide { overflow-x: auto; }
"""


@dataclass
class Table:
    title: str
    head: list[str]
    rows: list[list[str]] = field(default_factory=list)
    note: str = ""

    def html(self) -> str:
        def cells(row: list[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in row) + "</tr>"

        body = "".join(cells(row, "td") for row in self.rows)
        return (
            f"<h3>{html.escape(self.title)}</h3><p class=note>{self.note}</p>"
            f"<div class=wide><table><thead>{cells(self.head, 'th')}</thead><tbody>{body}</tbody></table></div>"
        )


@dataclass
class Curve:
    name: str
    points: list[tuple[float, float]]
    errors: list[tuple[float, float]] | None = None  # (low, high) of each point


@dataclass
class Plot:
    title: str
    x: str
    y: str
    curves: list[Curve]
    caption: str = ""

    def html(self) -> str:
        return f"<figure>{self.svg()}<figcaption>{html.escape(self.caption)}</figcaption></figure>"

    def svg(self) -> str:
        lines = [
            f"set terminal svg size 720,330 background rgb 'white' font 'sans,11' name '{_word(self.title)}'",
            f"set title {_quoted(self.title)}",
            f"set xlabel {_quoted(self.x)}; set ylabel {_quoted(self.y)}",
            "set key outside right; set grid lc rgb '#dddddd'; set offsets graph 0.02, graph 0.02, 0, 0",
        ]
        data, parts = [], []
        for number, curve in enumerate(self.curves):
            title = f"title {_quoted(curve.name)}"
            block = f"$d{number}"
            rows = [" ".join(f"{v:.6g}" for v in (*p, *e)) for p, e in zip(curve.points, curve.errors or [()] * len(curve.points), strict=True)]
            data.append(f"{block} << EOD\n" + "\n".join(rows) + "\nEOD")
            parts.append(f"{block} using 1:2 with lines lw 2 lc {number + 1} {title}")
            if curve.errors:
                parts.append(f"{block} using 1:2:3:4 with yerrorbars lc {number + 1} pt 7 ps 0.4 notitle")
        script = "\n".join([*data, *lines, "plot " + ", ".join(parts)])
        try:
            drawn = draw(script)
        except (OSError, subprocess.CalledProcessError) as failure:
            reason = getattr(failure, "stderr", "") or str(failure)
            return f"<p>No plot: gnuplot: {html.escape(reason.strip())}</p>"
        return drawn[drawn.index("<svg") :]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "' noenhanced"


def _word(text: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in text)


@dataclass
class Section:
    title: str
    text: str
    parts: list[Table | Plot]


def section_html(section: Section) -> str:
    return f"<h2>{html.escape(section.title)}</h2><p>{section.text}</p>" + "".join(p.html() for p in section.parts)


def write(path: Path, title: str, facts: list[str], sections: list[str]) -> None:
    """`sections` are HTML."""
    body = "".join(sections)
    intro = "".join(f"<li>{fact}</li>" for fact in facts)
    page = (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{html.escape(title)}</title><style>{STYLE}</style>"
        f"<h1>{html.escape(title)}</h1><ul>{intro}</ul>{body}</html>\n"
    )
    replace(path, page)


def replace(path: Path, text: str) -> None:
    """Atomic: written next to `path`, then renamed."""
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
