#!/usr/bin/env python3
"""Ranks a file of requests with Spark, in several processes, on one machine or on a cluster.

usage: rank_with_spark.py REQUESTS OUT [--master URL] [--model GGUF] [--partitions N] [--threads N] [--budget N]

REQUESTS is JSONL, as `rsd rank` reads it: {"id", "query" or "history", "candidates": [{"id", "text"}]} on
each line. OUT becomes a folder of JSONL files: {"id", "ranking", "scores", "encodings"} on each line, in no
particular order. Each task loads a Ranker and ranks one partition. If its process dies, Spark runs the task
again, and keeps the answers of one that has ended alone, so each request has one answer.
"""

import argparse
import json

import pandas
import rsd
from pyspark.sql import SparkSession

SCHEMA = "id string, ranking array<string>, scores array<double>, encodings int"


def ranking(model, threads, budget):
    """The function for mapInPandas(): frames with lines in the column `value`, of one partition."""
    def rank(frames):
        # Here, and not outside: a ranker can't pass from one process to another.
        with rsd.Ranker(model, threads=threads) as ranker:
            for frame in frames:
                yield rank_frame(ranker, frame, budget)
    return rank


def rank_frame(ranker, frame, budget):
    """One row an answer, in the columns of SCHEMA."""
    requests = [json.loads(line) for line in frame["value"]]
    answers = ranker.rank_many(
        [{"query": request.get("query"), "history": request.get("history"),
          "docs": request["candidates"]} for request in requests], budget=budget)
    rows = [(str(request["id"]), answer.ids, [result.score for result in answer], answer.encodings)
            for request, answer in zip(requests, answers)]
    return pandas.DataFrame(rows, columns=["id", "ranking", "scores", "encodings"])


def rank_file(spark, requests, out, *, partitions=8, rank):
    """Ranks `requests` into the folder `out`. A partition is what a process that dies has to do again."""
    lines = spark.read.text(requests).repartition(partitions)
    lines.mapInPandas(rank, SCHEMA).write.json(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("requests")
    parser.add_argument("out")
    parser.add_argument("--model")
    parser.add_argument("--master", default="local[2,4]", help="2 processes here, and 4 tries of a task")
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1, help="of each task")
    parser.add_argument("--budget", type=int)
    options = parser.parse_args()
    with SparkSession.builder.appName("rsd").master(options.master).getOrCreate() as spark:
        rank_file(spark, options.requests, options.out, partitions=options.partitions,
                  rank=ranking(options.model, options.threads, options.budget))


if __name__ == "__main__":
    main()
