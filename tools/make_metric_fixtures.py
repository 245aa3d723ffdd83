#!/usr/bin/env python3
"""Writes tests/fixtures/metrics.json: what independent implementations say about random rankings.

    pip install -r tools/make_metric_fixtures.requirements.txt
    python tools/make_metric_fixtures.py tests/fixtures/metrics.json

Agreement of two rankings: SciPy's kendalltau and spearmanr; footrule and Kemeny distance, which no
package offers in our normalisation, by their plain definitions. Relevance metrics: trec_eval
through pytrec_eval, confirmed by ir-measures (whose RR@k is MS MARCO's own script; its nDCG and
recall call trec_eval too, so that they confirm only how we call it). The same packages and seed
give the same bytes.
"""

import argparse
import json
import math
import random
from importlib.metadata import version
from pathlib import Path

import ir_measures
import pytrec_eval
from ir_measures import RR, R, nDCG
from scipy.stats import kendalltau, spearmanr

SEED = 20260
PACKAGES = ("ir-measures", "numpy", "pytrec_eval-terrier", "scipy")
CUTS = (1, 3, 5, 10, 100)  # 100 is beyond every list below


def positions(ranking):
    """The inverse permutation: element i is the position of item i."""
    result = [0] * len(ranking)
    for position, item in enumerate(ranking):
        result[item] = position
    return result


def footrule_distance(a, b):
    return sum(abs(x - y) for x, y in zip(a, b)) / (len(a) ** 2 // 2)


def kemeny_distance(a, b):
    n = len(a)
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    return sum((a[i] < a[j]) != (b[i] < b[j]) for i, j in pairs) / len(pairs)


def agreement_case(ranking, target):
    a, b = positions(ranking), positions(target)
    return {
        "ranking": ranking,
        "target": target,
        "kendall_tau": float(kendalltau(a, b).statistic),
        "spearman_rho": float(spearmanr(a, b).statistic),
        "footrule_distance": footrule_distance(a, b),
        "kemeny_distance": kemeny_distance(a, b),
    }


def agreement_cases(rng):
    for n in range(2, 41):
        target = rng.sample(range(n), n)
        near = list(target)
        for _ in range(3):  # a few swaps of neighbours, as a good ranking has them
            i = rng.randrange(n - 1)
            near[i], near[i + 1] = near[i + 1], near[i]
        yield agreement_case(near, target)
        yield agreement_case(target[::-1], target)
        yield agreement_case(rng.sample(range(n), n), target)
        yield agreement_case(rng.sample(range(n), n), target)


# By kind: the grades drawn from, the share of candidates that is judged, and the number of judged
# documents that are not in the list.
KINDS = {
    "graded": ((0, 1, 2, 3), 1.0, 0),
    "binary": ((0, 0, 0, 1), 1.0, 0),
    "unjudged": ((0, 1, 2, 3), 0.5, 0),
    "missed": ((0, 1, 2, 3), 1.0, 6),
    "negative": ((-3, -2, -1, 0, 1, 2), 1.0, 0),
    "all_zero": ((0,), 1.0, 2),
    "mixed": ((-2, -1, 0, 0, 1, 2, 3), 0.6, 4),
}
CASES_PER_KIND = 16


def trec_eval(relevance, run):
    cuts = ",".join(map(str, CUTS))
    measures = {f"ndcg_cut.{cuts}", f"recall.{cuts}", "recip_rank"}
    return pytrec_eval.RelevanceEvaluator({"q": relevance}, measures).evaluate({"q": run})["q"]


def confirm(values, relevance, run):
    """Asserts that ir-measures computes the same `values` as trec_eval."""
    names = {RR @ max(CUTS): "recip_rank"}
    names |= {nDCG @ k: f"ndcg_cut_{k}" for k in CUTS} | {R @ k: f"recall_{k}" for k in CUTS}
    for measure, other in ir_measures.calc_aggregate(names, {"q": relevance}, {"q": run}).items():
        own = values[names[measure]]
        assert math.isclose(own, other, abs_tol=1e-12), (measure, own, other, relevance, run)


def relevance_case(rng, kind):
    grades, judged_share, n_missed = KINDS[kind]
    n = rng.randint(1, 20)
    relevance = {f"d{i}": rng.choice(grades) for i in range(n) if rng.random() < judged_share}
    if not relevance:  # trec_eval leaves a query without any judgement out of its answer
        n_missed = max(n_missed, 1)
    relevance |= {f"x{i}": rng.choice(grades) for i in range(n_missed)}
    ranking = rng.sample(range(n), n)
    # Strictly decreasing: trec_eval breaks ties of scores by document id.
    run = {f"d{item}": float(n - position) for position, item in enumerate(ranking)}
    values = trec_eval(relevance, run)
    confirm(values, relevance, run)
    return {
        "kind": kind,
        "ranking": ranking,
        "relevance": relevance,
        "ndcg_at": {str(k): values[f"ndcg_cut_{k}"] for k in CUTS},
        "recall_at": {str(k): values[f"recall_{k}"] for k in CUTS},
        "reciprocal_rank": values["recip_rank"],
    }


def write_one_case_a_line(fixture, file):
    """JSON whose lists have one element a line, so that differences stay readable."""
    members = []
    for key, value in fixture.items():
        if isinstance(value, list):
            lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in value)
            members.append(f'"{key}": [\n{lines}\n]')
        else:
            members.append(f'"{key}": {json.dumps(value)}')
    file.write("{\n" + ",\n".join(members) + "\n}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    print(f"seed {options.seed}")
    rng = random.Random(options.seed)
    fixture = {
        "generator": "tools/make_metric_fixtures.py",
        "packages": {package: version(package) for package in PACKAGES},
        "seed": options.seed,
        "agreement": list(agreement_cases(rng)),
        "relevance": [relevance_case(rng, kind) for kind in KINDS for _ in range(CASES_PER_KIND)],
    }
    with options.output.open("w", encoding="utf-8", newline="\n") as file:
        write_one_case_a_line(fixture, file)
    print(f"{options.output}: {options.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
