#!/usr/bin/env python3
"""Long lists: what the window methods and decoders cost, and how good their rankings are.

    python3 benchmarks/windows/windows.py --requests lists.jsonl --limit 20 --out windows

ranks the same lists by every method with `ar` and with `rsd`, and as one prompt whose texts are cut
to fit, and writes OUT/report.html and OUT/table.md: nDCG@10, Kendall's tau to `ar` over the same
windows, encodings, tokens, time. `--pooled 1000` fills each list up with other queries' candidates;
they don't fit one prompt. Answers are kept under --out and not repeated; an interrupted run
continues. Seeds are fixed. No Python packages.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import random
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from report import page  # noqa: E402
from report.ranking import agreement, ndcg_at  # noqa: E402

SEED = 1
RESAMPLES = 2000
WINDOWS = {
    "sliding": ["--window-method", "sliding"],
    "sliding, input draft": ["--window-method", "sliding", "--draft", "input"],
    "top-down": ["--window-method", "top-down"],
    "top-down, pool": ["--window-method", "top-down", "--pool", "{pool}"],
    "calibrated": ["--window-method", "calibrated"],
    "tournament": ["--window-method", "tournament", "--top-n", "10"],
}
SINGLE = "one prompt"
BASE = "sliding"  # what tokens are compared with


@dataclass(frozen=True)
class Setting:
    method: str
    decoder: str

    @property
    def name(self) -> str:
        return f"{self.method}, {self.decoder}"

    @property
    def file(self) -> str:
        return self.name.replace(", ", "-").replace(" ", "-") + ".jsonl"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=Path, required=True, help="request lines with relevance")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=20, help="lists")
    parser.add_argument("--pooled", type=int, help="candidates of a list, filled up with those of other queries")
    parser.add_argument("--window", type=int, default=20)
    parser.add_argument("--pool", type=int, help="of top-down, pool; default: 4/5 of a window")
    parser.add_argument("--decoders", nargs="+", default=["ar", "rsd"])
    parser.add_argument("--methods", nargs="+", default=[*WINDOWS, SINGLE], choices=[*WINDOWS, SINGLE])
    parser.add_argument("--rsd", type=Path, default=ROOT / "build/release/rsd")
    parser.add_argument("--model", help="GGUF model; without it the default model")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rank-options", type=shlex.split, default=[], help='further options of every rank, as in --rank-options="--policy replay"')
    return parser.parse_args()


def lists_of(options: argparse.Namespace) -> list[dict]:
    """The first lists of the file; if pooled, with other lists' candidates, drawn once for all,
    after their own."""
    with options.requests.open(encoding="utf-8") as lines:
        requests = [json.loads(line) for line in lines]
    chosen = requests[: options.limit]
    if not options.pooled:
        return chosen
    for request in chosen:
        own = {candidate["id"] for candidate in request["candidates"]} | set(request["relevance"])
        others = {c["id"]: c for other in requests if other["id"] != request["id"] for c in other["candidates"] if c["id"] not in own}
        wanted = options.pooled - len(request["candidates"])
        if wanted > len(others):
            raise SystemExit(f"windows: only {len(others)} other candidates for {request['id']}, {wanted} are needed")
        generator = random.Random(f"{SEED} {request['id']}")
        request["candidates"] = request["candidates"] + generator.sample(sorted(others.values(), key=lambda c: str(c["id"])), max(wanted, 0))
    return chosen


def command_of(options: argparse.Namespace, setting: Setting, requests: Path) -> list[str]:
    arguments: list[object] = [options.rsd, "rank", "--requests", requests, "--decoder", setting.decoder]
    if setting.method != SINGLE:
        pool = options.pool or options.window * 4 // 5
        arguments += ["--window", options.window, *[part.format(pool=pool) for part in WINDOWS[setting.method]]]
    if options.model:
        arguments += ["--model", options.model]
    if options.threads:
        arguments += ["--threads", options.threads]
    return [*map(str, arguments), *options.rank_options, "--output", str(options.out / setting.file)]


def rank(options: argparse.Namespace, setting: Setting, requests: Path) -> list[dict]:
    """The answers of a setting, from its file if it is there and was made by the same command."""
    path = options.out / setting.file
    command = command_of(options, setting, requests)
    made_by = path.with_suffix(".command")
    if made_by.exists() and made_by.read_text(encoding="utf-8") != shlex.join(command):
        raise SystemExit(f"windows: {path} was made by another command ({made_by}); choose another --out")
    if not path.exists():
        page.replace(made_by, shlex.join(command))
        print(shlex.join(command), file=sys.stderr, flush=True)
        resume = ["--resume"] if Path(f"{path}.partial").exists() else []
        subprocess.run([*command, *resume], check=True)
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def interval(values: list[float]) -> tuple[float, float]:
    """95 % percentile bootstrap of the mean over lists."""
    generator = random.Random(SEED)
    drawn = sorted(mean(generator.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return drawn[int(0.025 * RESAMPLES)], drawn[int(0.975 * RESAMPLES)]


def figures(answers: list[dict], target: list[dict] | None, requests: dict[str, dict]) -> dict[str, list[float]]:
    """By list; nDCG of those that have something relevant."""
    by_id = {answer["id"]: answer for answer in target or []}
    ndcg = ndcg_of(answers, requests)
    measures: dict[str, list[float]] = {
        "ndcg@10": ndcg,
        "encodings": [answer["encodings"] for answer in answers],
        "tokens": [answer["tokens_encoded"] for answer in answers],
        "windows": [answer.get("windows", {"count": 1})["count"] for answer in answers],
        "verified": [answer["verified_prefix"] for answer in answers],
        "s": [answer["timing_ms"]["total"] / 1000 for answer in answers],
    }
    if target:
        pairs = [(answer["ranking"], by_id[answer["id"]]["ranking"]) for answer in answers]
        measures["kt"] = [agreement(ranking, goal)["kt"] for ranking, goal in pairs]
        measures["kt@10"] = [top_agreement(ranking, goal) for ranking, goal in pairs]
        measures["ndcg@10 less ar's"] = [a - b for a, b in zip(ndcg, ndcg_of(list(by_id.values()), requests), strict=True)]
    return measures


def ndcg_of(answers: list[dict], requests: dict[str, dict]) -> list[float]:
    """For the lists with relevant items, in the order of their ids."""
    values = [ndcg_at(10, a["ranking"], requests[a["id"]]["relevance"]) for a in sorted(answers, key=lambda a: a["id"])]
    return [value for value in values if value is not None]


def top_agreement(ranking: list[str], target: list[str], n: int = 10) -> float:
    """Kendall's tau of the items that stand among the first n of either."""
    items = set(ranking[:n]) | set(target[:n])
    return agreement([i for i in ranking if i in items], [i for i in target if i in items])["kt"]


def difference(values: list[float] | None) -> str:
    if values is None:
        return "–"
    low, high = interval(values)
    return f"{mean(values):+.3f} ({low:+.3f} to {high:+.3f})"


def report(options: argparse.Namespace, measured: dict[Setting, dict[str, list[float]]], n_lists: int, length: int) -> None:
    table = page.Table(
        f"{n_lists} lists of {length}",
        ["method", "decoder", "nDCG@10", "95 %", "less ar's", "less sliding's", "KT to ar", "KT of the first 10", "windows", "encodings", "tokens", "of sliding", "verified", "s"],
        note="nDCG@10, and by how much it is above that of ar over the same windows, and of sliding with the same "
        "decoder, list by list; intervals: 95 % bootstrap over lists. KT: Kendall's tau to ar over the same windows. Tokens that went through the LLM, prompts included; "
        "their share of what sliding takes with the same decoder. Times are those of this machine under its load.",
    )
    for setting, measures in measured.items():
        base = measured.get(Setting(BASE, setting.decoder))
        low, high = interval(measures["ndcg@10"])
        to_base = [a - b for a, b in zip(measures["ndcg@10"], base["ndcg@10"], strict=True)] if base and base is not measures else None
        table.rows.append([
            setting.method, setting.decoder, f"{mean(measures['ndcg@10']):.3f}", f"{low:.3f} – {high:.3f}",
            difference(measures.get("ndcg@10 less ar's")), difference(to_base),
            f"{mean(measures['kt']):.3f}" if "kt" in measures else "–", f"{mean(measures['kt@10']):.3f}" if "kt@10" in measures else "–",
            f"{mean(measures['windows']):.1f}", f"{mean(measures['encodings']):.1f}", f"{mean(measures['tokens']):.0f}",
            f"{mean(measures['tokens']) / mean(base['tokens']):.2f}" if base else "–", f"{mean(measures['verified']):.1f}", f"{mean(measures['s']):.1f}",
        ])  # fmt: skip
    commands = "\n".join((options.out / setting.file).with_suffix(".command").read_text(encoding="utf-8") for setting in measured)
    facts = [
        f"{html.escape(str(options.requests.name))}, windows of {options.window}; the input order's nDCG@10 is {options.input_ndcg:.3f}.",
        f"{os.cpu_count()} cores; load average at the end {os.getloadavg()[0]:.1f}.",
        f"<details><summary>Commands</summary><pre>{html.escape(commands)}</pre></details>",
    ]
    section = page.Section("Long lists", "", [table])
    page.write(options.out / "report.html", "Windows over long lists", facts, [page.section_html(section)])
    lines = ["| " + " | ".join(table.head) + " |", "|" + "-|" * len(table.head), *("| " + " | ".join(row) + " |" for row in table.rows)]
    page.replace(options.out / "table.md", "\n".join(lines) + "\n")
    print("\n".join(lines))


def main() -> None:
    options = parse_arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    lists = lists_of(options)
    requests = options.out / "requests.jsonl"
    content = "".join(json.dumps(request) + "\n" for request in lists)
    if requests.exists() and requests.read_text(encoding="utf-8") != content:
        raise SystemExit(f"windows: {options.out} was begun with other lists; choose another --out")
    page.replace(requests, content)
    by_id = {request["id"]: request for request in lists}
    input_ndcg = [ndcg_at(10, [c["id"] for c in request["candidates"]], request["relevance"]) for request in lists]
    options.input_ndcg = mean([value for value in input_ndcg if value is not None])
    measured: dict[Setting, dict[str, list[float]]] = {}
    for method in options.methods:
        if method == SINGLE and options.pooled:
            continue
        target = None
        for decoder in options.decoders:
            answers = rank(options, Setting(method, decoder), requests)
            if method == SINGLE and any("windows" in answer for answer in answers):
                print("windows: the lists don't fit one prompt, which is left out", file=sys.stderr)
                break
            target = answers if decoder == "ar" else target
            measured[Setting(method, decoder)] = figures(answers, target if decoder != "ar" else None, by_id)
            report(options, measured, len(lists), len(lists[0]["candidates"]))
    print(options.out / "report.html")


if __name__ == "__main__":
    main()
