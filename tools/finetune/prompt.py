"""The engine's prompts, in Python: the same YAML templates, the same identifiers, the same tokens.

test_prompt.py holds this file to `rsd prompt render`, token by token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Prompt:
    tokens: list[int]  # up to where the first identifier is to follow
    identifiers: list[int]  # by candidate


class PromptBuilder:
    """Renders requests (dicts as the request files hold them) for a tokenizer with ChatML frames.

    Covers templates without a `system` text, which is what the adapter is trained with.
    """

    def __init__(self, tokenizer: Tokenizer, templates: Path = TEMPLATES):
        self._tokenizer = tokenizer
        self._templates = {}
        for path in sorted(templates.glob("*.yaml")):
            template = yaml.safe_load(path.read_text(encoding="utf-8"))
            if template.get("system"):
                raise ValueError(f"{path}: key 'system' is not supported by the fine-tuning tools")
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

    @staticmethod
    def _history(template: dict, history: list[str]) -> str:
        last = template.get("history_last", 0)
        item = template.get("history_item", "")
        return "".join(fill(item, {"title": single_line(t)}) for t in history[-last:])
