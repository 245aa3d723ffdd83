"""The engine's prompts, in Python: the same YAML templates, the same identifiers, the same tokens.

test_prompt.py holds this file to `rsd prompt render`, token by token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase

import numpy as np
import yaml
from tokenizers import Tokenizer

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
PLACEHOLDER = re.compile(r"\{\{|\}\}|\{(num|query|history|text|title)\}")


# The engine's prompt/identifiers.h: A-Z, a-z, Greek, Cyrillic, pairs of capitals.
ALPHABET = [
    *ascii_uppercase,
    *ascii_lowercase,
    *(chr(c) for first, last in ((0x391, 0x3A9), (0x3B1, 0x3C9), (0x410, 0x44F)) for c in range(first, last + 1)),
    *("".join(pair) for pair in product(ascii_uppercase, repeat=2)),
]

GAP = re.compile(r"[\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")


def single_line(text: str) -> str:
    """As the engine does: runs of white space and control characters become one space."""
    return GAP.sub(" ", text).strip(" ")


def fill(template: str, values: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        return match[0][0] if match[1] is None else values[match[1]]

    return PLACEHOLDER.sub(value, template)


def text_digest(text: str) -> int:
    """As the engine's rank/content_order.h has it."""
    mask = (1 << 64) - 1
    digest = 0xCBF29CE484222325
    for byte in text.encode():
        digest = ((digest ^ byte) * 0x100000001B3) & mask
    digest = ((digest ^ (digest >> 33)) * 0xFF51AFD7ED558CCD) & mask
    digest = ((digest ^ (digest >> 33)) * 0xC4CEB9FE1A85EC53) & mask
    return digest ^ (digest >> 33)


def content_order(texts: list[str]) -> list[int]:
    """Candidates by the digest of their texts; equal texts in the request's order."""
    return sorted(range(len(texts)), key=lambda i: (text_digest(texts[i]), texts[i].encode(), i))


@dataclass(frozen=True)
class Block:
    """Tokens that follow each other, as the engine's prompt/prompt.h has them."""

    kind: str  # head, candidate, query, identifier, tail
    first: int  # of the prompt's tokens
    n_tokens: int
    position: int  # of its first token
    candidate: int | None = None  # of a candidate or an identifier

    def sees(self, other: Block) -> bool:
        """All of the other block; of itself up to each own token."""
        if other.kind == "head" or other == self:
            return True
        if self.kind == "identifier":
            return other.kind == "query" or (other.kind == "candidate" and other.candidate == self.candidate)
        return self.kind == "tail" and other.kind in ("query", "identifier")


@dataclass(frozen=True)
class Prompt:
    tokens: list[int]  # up to where the first identifier is to follow
    identifiers: list[int]  # by candidate
    blocks: list[Block] = field(default_factory=list)  # empty: each token sees all before it

    def positions(self, n_answer: int = 0) -> list[int]:
        """Of its tokens and of an answer of `n_answer` tokens, which goes on where the prompt ends."""
        if not self.blocks:
            return list(range(len(self.tokens) + n_answer))
        return [p for b in self.with_answer(n_answer) for p in range(b.position, b.position + b.n_tokens)]

    def visible(self, n_answer: int) -> np.ndarray:
        """[n, n] booleans, n = tokens of prompt and answer: whether the row's token sees the column's."""
        blocks = self.with_answer(n_answer)
        n_tokens = blocks[-1].first + blocks[-1].n_tokens
        seen = np.zeros((n_tokens, n_tokens), bool)
        for block in blocks:
            rows = slice(block.first, block.first + block.n_tokens)
            for other in blocks:
                if block.sees(other):
                    seen[rows, other.first : other.first + other.n_tokens] = True
            seen[rows, rows] = np.tri(block.n_tokens, dtype=bool)
        return seen

    def places(self) -> list[int]:
        """Of the token in front of each candidate's identifier: where the LLM has read this candidate and
        the query, and nothing that depends on the rest of the list, as the identifier itself does."""
        before = {b.candidate: b.first + b.n_tokens - 2 for b in self.blocks if b.kind == "identifier"}
        return [before[i] for i in range(len(before))]

    def with_answer(self, n_answer: int) -> list[Block]:
        """The answer belongs to the tail."""
        tail = self.blocks[-1]
        return [*self.blocks[:-1], replace(tail, n_tokens=tail.n_tokens + n_answer)]


@dataclass(frozen=True)
class SharedPrompt:
    """Prompts in blocks about the same candidates, as one: a candidate's block sees no query, so one
    encoding of it serves all of them. None of the prompts sees what belongs to another one."""

    tokens: list[int]
    positions: list[int]
    visible: np.ndarray  # [n, n] booleans: whether the row's token sees the column's
    rows: list[np.ndarray]  # by prompt: where the tokens of prompt and answer are among `tokens`
    blocks: list[tuple[str, np.ndarray]]  # kind, and places of the tokens: of every block once


def share(prompts: list[Prompt], answers: list[list[int]]) -> SharedPrompt:
    """Prompts in blocks with equal heads and candidates."""
    tokens: list[int] = []
    positions: list[int] = []
    rows: list[np.ndarray] = []
    blocks: list[tuple[str, np.ndarray]] = []
    n_shared = sum(b.n_tokens for b in prompts[0].blocks if b.kind in ("head", "candidate"))
    for prompt, answer in zip(prompts, answers, strict=True):
        if prompt.tokens[:n_shared] != prompts[0].tokens[:n_shared]:
            raise ValueError("prompts about different candidates share nothing")
        n_known = n_shared if rows else 0
        own = (prompt.tokens + answer)[n_known:]
        rows.append(np.concatenate([np.arange(n_known), len(tokens) + np.arange(len(own))]))
        tokens += own
        positions += prompt.positions(len(answer))[n_known:]
    visible = np.zeros((len(tokens), len(tokens)), bool)
    for prompt, answer, own_rows in zip(prompts, answers, rows, strict=True):
        new = prompt.with_answer(len(answer))
        if blocks:
            new = [block for block in new if block.first >= n_shared]
        blocks += [(b.kind, own_rows[b.first : b.first + b.n_tokens]) for b in new]
        visible[np.ix_(own_rows, own_rows)] |= prompt.visible(len(answer))
    return SharedPrompt(tokens, positions, visible, rows, blocks)


class PromptBuilder:
    """Renders requests (dicts as the request files hold them) for a tokenizer with ChatML frames.

    Covers templates without a `system` text, which is what the adapter is trained with. `layout`
    chooses among the templates: "sequence", or "blocks" (docs/blocks.md).
    """

    def __init__(self, tokenizer: Tokenizer, templates: Path = TEMPLATES, layout: str = "sequence"):
        self._tokenizer = tokenizer
        self._templates = {}
        for path in sorted(templates.glob("*.yaml")):
            template = yaml.safe_load(path.read_text(encoding="utf-8"))
            if template.get("system"):
                raise ValueError(f"{path}: key 'system' is not supported by the fine-tuning tools")
            if template.get("layout", "sequence") == layout:
                self._templates[template["task"]] = template
        start, end = (tokenizer.token_to_id(t) for t in ("<|im_start|>", "<|im_end|>"))
        self._opening = [start, *self.encode("user\n")]
        self._closing = [end, *self.encode("\n"), start, *self.encode("assistant\n")]
        encoded = [self.encode(" " + letters) for letters in ALPHABET]
        self.identifiers = list(dict.fromkeys(tokens[0] for tokens in encoded if len(tokens) == 1))

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def build(self, request: dict, skip: int = 0) -> Prompt:
        """Leaves the first `skip` identifiers out, which the engine never does: so that a training on
        short lists reaches the identifiers of long ones, too."""
        template = self._templates[request["task"]]
        texts = [single_line(c["text"]) for c in request["candidates"]]
        values = {
            "num": str(len(texts)),
            "query": single_line(request.get("query", "")),
            "history": self._history(template, request.get("history", [])),
        }
        if template.get("layout") == "blocks":
            return self._build_blocks(template, texts, values, self.identifiers[skip:])
        tokens = list(self._opening)
        pending = fill(template["prefix"], values)
        before, after = template["body"].split("{identifier}")
        for text, identifier in zip(texts, self.identifiers[skip:], strict=False):
            # The space before the identifier is inside its token.
            pending += fill(before, values | {"text": text}).removesuffix(" ")
            tokens += [*self.encode(pending), identifier]
            pending = fill(after, values | {"text": text})
        tokens += self.encode(pending + fill(template.get("suffix", ""), values))
        tokens += self._closing + self.encode(template["answer"])
        return Prompt(tokens, self.identifiers[skip : skip + len(texts)])

    def _build_blocks(
        self, template: dict, texts: list[str], values: dict[str, str], pool: list[int]
    ) -> Prompt:
        before, after = template["body"].split("{text}")
        head = self._opening + self.encode(fill(template["prefix"], {}))
        query = self.encode(fill(template["suffix"], values))
        # The space before the identifier is inside its token.
        mark = self.encode(fill(after.removesuffix("{identifier}"), {}).removesuffix(" "))
        tail = self._closing + self.encode(template["answer"])
        order = content_order(texts)
        candidates = {i: self.encode(fill(before, {}) + texts[i]) for i in order}
        identifiers = dict(zip(order, pool, strict=False))
        blocks: list[Block] = []
        tokens: list[int] = []

        def add(kind: str, added: list[int], position: int, candidate: int | None = None) -> None:
            blocks.append(Block(kind, len(tokens), len(added), position, candidate))
            tokens.extend(added)

        add("head", head, 0)
        for i in order:
            add("candidate", candidates[i], len(head), i)
        add("query", query, len(head))
        ends = {i: len(head) + max(len(candidates[i]), len(query)) for i in order}
        for i in order:
            add("identifier", [*mark, identifiers[i]], ends[i], i)
        add("tail", tail, max(ends.values()) + len(mark) + 1)
        return Prompt(tokens, [identifiers[i] for i in range(len(texts))], blocks)

    @staticmethod
    def _history(template: dict, history: list[str]) -> str:
        last = template.get("history_last", 0)
        item = template.get("history_item", "")
        return "".join(fill(item, {"title": single_line(t)}) for t in history[-last:])
