"""The engine's prompts, in Python: the same YAML templates, the same identifiers, the same tokens.

test_prompt.py holds this file to `rsd prompt render`, token by token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from tokenizers import Tokenizer

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
PLACEHOLDER = re.compile(r"\{\{|\}\}|\{(num|query|history|text|title)\}")


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

    def positions(self) -> list[int]:
        if not self.blocks:
            return list(range(len(self.tokens)))
        return [p for b in self.blocks for p in range(b.position, b.position + b.n_tokens)]


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
        letters = [chr(c) for c in (*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1))]
        encoded = [self.encode(" " + letter) for letter in letters]
        self.identifiers = [tokens[0] for tokens in encoded if len(tokens) == 1]

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def build(self, request: dict) -> Prompt:
        template = self._templates[request["task"]]
        texts = [single_line(c["text"]) for c in request["candidates"]]
        values = {
            "num": str(len(texts)),
            "query": single_line(request.get("query", "")),
            "history": self._history(template, request.get("history", [])),
        }
        if template.get("layout") == "blocks":
            return self._build_blocks(template, texts, values)
        tokens = list(self._opening)
        pending = fill(template["prefix"], values)
        before, after = template["body"].split("{identifier}")
        for text, identifier in zip(texts, self.identifiers, strict=False):
            # The space before the identifier is inside its token.
            pending += fill(before, values | {"text": text}).removesuffix(" ")
            tokens += [*self.encode(pending), identifier]
            pending = fill(after, values | {"text": text})
        tokens += self.encode(pending + fill(template.get("suffix", ""), values))
        tokens += self._closing + self.encode(template["answer"])
        return Prompt(tokens, self.identifiers[: len(texts)])

    def _build_blocks(self, template: dict, texts: list[str], values: dict[str, str]) -> Prompt:
        before, after = template["body"].split("{text}")
        head = self._opening + self.encode(fill(template["prefix"], {}))
        query = self.encode(fill(template["suffix"], values))
        # The space before the identifier is inside its token.
        mark = self.encode(fill(after.removesuffix("{identifier}"), {}).removesuffix(" "))
        tail = self._closing + self.encode(template["answer"])
        order = content_order(texts)
        candidates = {i: self.encode(fill(before, {}) + texts[i]) for i in order}
        identifiers = dict(zip(order, self.identifiers, strict=False))
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
