"""Both sides render the same tokens: prompt.py here, `rsd prompt render` in the engine.

RSD_BINARY and RSD_BASE_MODEL say where they are; without them the build's and the cache's are used.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from prompt import Block, Prompt, PromptBuilder, share, single_line, text_digest
from tokenizer import load_tokenizer

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rsd" / "models"
BINARY = Path(os.environ.get("RSD_BINARY", ROOT / "build" / "release" / "rsd"))
MODEL = Path(os.environ.get("RSD_BASE_MODEL", CACHE / "smollm2-135m-instruct-q4_1.gguf"))
DATA = ROOT.parent / "shared" / "data"

TRICKY = [
    "",
    "<|im_end|> is text here, <|im_start|>user too",
    "line\nbreaks\tand\r\n\x0bcontrol \x00 characters\u2028and\u00a0odd\u3000spaces ",
    "naïve café – 東京 🎉 е́ “quotes” it's I'LL",
    "Digits 1234567 3.14 v2 x86-64 ½ ² ٣",
    " leading and trailing = A ",
    "= A\n- fake = B",
    "under_score {braces} {{double}} {text} {identifier}",
]


def requests() -> list[dict]:
    found = [{"id": "tricky", "query": TRICKY[1], "candidates": texts(TRICKY)}]
    found.append({"id": "tricky-history", "history": TRICKY[1:] * 2, "candidates": texts(TRICKY)})
    found.append({"id": "many", "query": "q", "candidates": texts([f"text {i}" for i in range(300)])})
    files = [*sorted((ROOT / "examples").glob("*.jsonl"))]
    files += [DATA / f"{n}-test.jsonl" for n in ("quora", "msmarco-dl-bm25", "games", "ml1m")]
    for path in files:
        if path.exists():
            found += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[:20]]
    return found


def texts(values: list[str]) -> list[dict]:
    return [{"id": str(i), "text": value or "x"} for i, value in enumerate(values)]


@pytest.mark.skipif(not (BINARY.exists() and MODEL.exists()), reason="needs rsd and its base model")
@pytest.mark.parametrize("layout", ["sequence", "blocks"])
def test_both_sides_render_the_same_tokens(layout):
    expected = requests()
    lines = "".join(json.dumps(r) + "\n" for r in expected)
    command = [BINARY, "prompt", "render", "--requests", "-", "--model", MODEL]
    if layout == "blocks":
        for template in sorted((ROOT / "templates").glob("blocks-*.yaml")):
            command += ["--prompt-template", template]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    builder = PromptBuilder(load_tokenizer(MODEL), layout=layout)
    rendered = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["id"] for r in rendered] == [r["id"] for r in expected]
    for request, theirs in zip(expected, rendered, strict=True):
        request.setdefault("task", "recommendation" if "history" in request else "passage")
        ours = builder.build(request)
        assert ours.tokens == theirs["tokens"], request["id"]
        assert ours.identifiers == [i["token"] for i in theirs["identifiers"]], request["id"]
        assert blocks_of(ours, request) == theirs.get("blocks", []), request["id"]


def blocks_of(prompt, request: dict) -> list[dict]:
    ids = [c.get("id", str(i)) for i, c in enumerate(request["candidates"])]
    return [
        {"kind": b.kind, "first": b.first, "tokens": b.n_tokens, "position": b.position}
        | ({} if b.candidate is None else {"candidate": ids[b.candidate]})
        for b in prompt.blocks
    ]


@pytest.mark.skipif(not MODEL.exists(), reason="needs the base model")
def test_blocks_are_those_that_adapters_are_tuned_on():
    """The pieces by themselves: what one of the project's adapters was tuned with."""
    builder = PromptBuilder(load_tokenizer(MODEL), layout="blocks")
    texts_in = ["how long to steep tea", "a much longer text about something else = B", "tea"]
    request = {"task": "passage", "query": "steep tea?", "candidates": texts(texts_in)}
    prompt = builder.build(request)
    opening = [builder._tokenizer.token_to_id("<|im_start|>"), *builder.encode("user\n")]
    pieces = {"head": opening + builder.encode("Rank the texts by relevance to the query.\n"),
              "query": builder.encode("\nQuery: steep tea?\n"),
              "tail": builder._closing + builder.encode("Ranking:")}  # fmt: skip
    for block in prompt.blocks:
        tokens = prompt.tokens[block.first : block.first + block.n_tokens]
        if block.kind == "candidate":
            assert tokens == builder.encode("- " + texts_in[block.candidate])
        elif block.kind == "identifier":
            assert tokens == [*builder.encode(" ="), prompt.identifiers[block.candidate]]
        else:
            assert tokens == pieces[block.kind]
    assert sorted(prompt.identifiers) == sorted(builder.identifiers[:3])


def test_texts_are_ordered_as_the_engine_orders_them():
    """The values of content_order_test.cpp."""
    digests = {"": 0xEFD01F60BA992926, "a": 0x82A2A958A9BECE5B, "one text": 0x6DFFE1F6BCF9DF07,
               "naïve café": 0x1A8071E8D684CD3C}  # fmt: skip
    assert {text: text_digest(text) for text in digests} == digests


def test_a_text_becomes_one_line():
    assert single_line(" a\n\tb\u2003c\u0085 d\x00 ") == "a b c d"


def test_each_token_sees_what_its_block_sees_and_of_its_own_block_what_came_before():
    blocks = [Block("head", 0, 2, 0), Block("candidate", 2, 2, 2, 1), Block("candidate", 4, 1, 2, 0),
              Block("query", 5, 2, 2), Block("identifier", 7, 2, 4, 1), Block("identifier", 9, 2, 4, 0),
              Block("tail", 11, 1, 6)]  # fmt: skip
    prompt = Prompt(list(range(12)), [70, 71], blocks)
    seen = [np.flatnonzero(row).tolist() for row in prompt.visible(n_answer=2)]
    assert seen[:2] == [[0], [0, 1]]
    assert seen[2:5] == [[0, 1, 2], [0, 1, 2, 3], [0, 1, 4]]
    assert seen[5:7] == [[0, 1, 5], [0, 1, 5, 6]]
    assert seen[7:9] == [[0, 1, 2, 3, 5, 6, 7], [0, 1, 2, 3, 5, 6, 7, 8]]
    assert seen[9:11] == [[0, 1, 4, 5, 6, 9], [0, 1, 4, 5, 6, 9, 10]]
    tail = [0, 1, *range(5, 12)]
    assert seen[11:] == [tail, [*tail, 12], [*tail, 12, 13]]
    assert prompt.positions(n_answer=2) == [0, 1, 2, 3, 2, 2, 3, 4, 5, 4, 5, 6, 7, 8]
    assert prompt.places() == [9, 7]


def test_prompts_that_share_their_candidates_see_what_each_alone_would():
    def prompt(n_query: int, first_token: int) -> Prompt:
        blocks = [Block("head", 0, 1, 0), Block("candidate", 1, 2, 1, 0), Block("query", 3, n_query, 1),
                  Block("identifier", 3 + n_query, 2, 1 + max(2, n_query), 0),
                  Block("tail", 5 + n_query, 1, 3 + max(2, n_query))]  # fmt: skip
        return Prompt([1, 2, 3, *range(first_token, first_token + n_query + 3)], [70], blocks)

    prompts, answers = [prompt(1, 10), prompt(4, 20)], [[], [70]]
    shared = share(prompts, answers)
    assert len(shared.tokens) == 3 + 4 + 8  # head and candidate stand there once
    seen = np.zeros_like(shared.visible)
    for alone, answer, rows in zip(prompts, answers, shared.rows, strict=True):
        assert [shared.tokens[r] for r in rows] == alone.tokens + answer
        assert [shared.positions[r] for r in rows] == alone.positions(len(answer))
        assert (shared.visible[np.ix_(rows, rows)] == alone.visible(len(answer))).all()
        seen[np.ix_(rows, rows)] = True
    assert not shared.visible[~seen].any(), "one prompt sees another one"


def test_prompts_about_other_candidates_share_nothing():
    blocks = [Block("head", 0, 1, 0), Block("candidate", 1, 1, 1, 0), Block("tail", 2, 1, 3)]
    with pytest.raises(ValueError, match="share nothing"):
        share([Prompt([1, 2, 3], [70], blocks), Prompt([1, 9, 3], [70], blocks)], [[], []])


@pytest.mark.skipif(not MODEL.exists(), reason="needs the base model")
@pytest.mark.parametrize("layout", ["sequence", "blocks"])
def test_skipped_identifiers_leave_the_rest_of_the_prompt_as_it_is(layout):
    builder = PromptBuilder(load_tokenizer(MODEL), layout=layout)
    request = {"task": "passage", "query": "q", "candidates": texts(["one", "two", "three"])}
    usual, other = builder.build(request), builder.build(request, skip=40)
    renamed = dict(zip(sorted(usual.identifiers, key=builder.identifiers.index), builder.identifiers[40:], strict=False))
    assert other.tokens == [renamed.get(token, token) for token in usual.tokens]
    assert other.identifiers == [renamed[token] for token in usual.identifiers]
    assert other.blocks == usual.blocks
