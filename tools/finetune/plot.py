"""Draws a training's learning curve as an SVG, with gnuplot.

    python plot.py --run run --out learning-curve.svg
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from gnuplot import draw  # noqa: E402

WIDTH = 20  # steps that a point of the loss is the mean of


def mean_losses(entries: list[dict]) -> list[tuple[int, float]]:
    """(examples, mean loss) of each run of WIDTH steps; what is left over joins the last one."""
    steps = [entry for entry in entries if "loss" in entry]
    last = max(1, len(steps) // WIDTH)
    runs = [steps[i * WIDTH : (i + 1) * WIDTH if i + 1 < last else None] for i in range(last)]
    return [(run[-1]["examples"], sum(entry["loss"] for entry in run) / len(run)) for run in runs if run]


def validations(entries: list[dict]) -> dict[str, list[tuple[int, float]]]:
    """MRR of the first position by dataset, on requests that are held out."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for entry in entries:
        for name, figures in entry.get("validation", {}).items():
            curves.setdefault(name, []).append((entry["examples"], figures["mrr"]))
    return curves


def script(losses: list[tuple[int, float]], curves: dict[str, list[tuple[int, float]]], out: Path) -> str:
    lines = [
        "set terminal svg size 760,380 background rgb 'white'",
        f"set output '{out}'",
        "set key outside",
        "set xlabel 'examples'",
        "set ylabel 'training loss'",
        "set y2label 'MRR, held out'",
        "set ytics nomirror",
        "set y2tics",
        "set y2range [0:1]",
    ]
    plots = ["$loss using 1:2 with lines linewidth 2 title 'loss'"]
    blocks = {"loss": losses}
    for number, (name, points) in enumerate(curves.items()):
        blocks[f"v{number}"] = points
        plots.append(f"$v{number} using 1:2 axes x1y2 with linespoints dashtype 2 title '{name}'")
    for name, points in blocks.items():
        lines += [f"${name} << END", *(f"{x} {y}" for x, y in points), "END"]
    return "\n".join([*lines, "plot " + ", ".join(plots)]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=Path, required=True, help="folder that train.py wrote")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with (options.run / "metrics.jsonl").open(encoding="utf-8") as lines:
        entries = [json.loads(line) for line in lines]
    draw(script(mean_losses(entries), validations(entries), options.out.resolve()))


if __name__ == "__main__":
    main()
