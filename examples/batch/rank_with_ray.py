#!/usr/bin/env python3
"""Ranks a file of requests with Ray Data, in several processes, on one machine or on a cluster.

usage: rank_with_ray.py REQUESTS OUT [--model GGUF] [--workers N] [--threads N] [--budget N]

REQUESTS is JSONL, as `rsd rank` reads it: {"id", "query" or "history", "candidates": [{"id", "text"}]} on
each line. OUT becomes a folder of JSONL files: {"id", "ranking", "scores", "encodings"} on each line, in no
particular order. Each worker is a process that holds a Ranker. If it dies, Ray starts another one, which
ranks its batch again, so each request has one answer.
"""

import argparse
import json

import ray
import rsd


class Rank:
    """A worker: what map_batches() calls in a process of its own."""

    def __init__(self, model, threads, budget):
        self.ranker = rsd.Ranker(model, threads=threads)
        self.budget = budget

    def __call__(self, batch):
        """{"text": [n] lines} becomes columns of n rows."""
        requests = [json.loads(line) for line in batch["text"]]
        answers = self.ranker.rank_many(
            [{"query": request.get("query"), "history": request.get("history"),
              "docs": request["candidates"]} for request in requests], budget=self.budget)
        return {"id": [str(request["id"]) for request in requests],
                "ranking": [answer.ids for answer in answers],
                "scores": [[result.score for result in answer] for answer in answers],
                "encodings": [answer.encodings for answer in answers]}


def rank_file(requests, out, *, model=None, workers=2, threads=1, budget=None, batch_size=16, worker=Rank):
    """Ranks `requests` into the folder `out`. A batch is what a worker that dies has to do again."""
    lines = ray.data.read_text(requests, override_num_blocks=4 * workers)
    answers = lines.map_batches(
        worker, fn_constructor_args=(model, threads, budget), batch_size=batch_size,
        compute=ray.data.ActorPoolStrategy(size=workers), num_cpus=threads)
    answers.write_json(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("requests")
    parser.add_argument("out")
    parser.add_argument("--model")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of each worker")
    parser.add_argument("--budget", type=int)
    options = parser.parse_args()
    rank_file(options.requests, options.out, model=options.model, workers=options.workers,
              threads=options.threads, budget=options.budget)


if __name__ == "__main__":
    main()
