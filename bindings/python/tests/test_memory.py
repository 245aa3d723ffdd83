"""Memory stays flat over many rankings on a tiny model: RSD_LIBRARY names the librsd.so."""

import gc
import os
import pathlib
import random
import unittest

import rsd

TINY = pathlib.Path(__file__).resolve().parents[3] / "tests/models/tiny-bpe.gguf"
WORDS = "amber brick cloud delta ember frost grain harbor iron juniper kettle lemon mortar".split()
SEED = 7


def resident_mib():
    with open("/proc/self/statm", encoding="ascii") as pages:
        return int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def rank_some(ranker, rng, n):
    """Rankings of every kind, and requests that are refused."""
    for i in range(n):
        query = " ".join(rng.choices(WORDS, k=4))
        docs = [" ".join(rng.choices(WORDS, k=rng.randrange(3, 9))) for _ in range(rng.randrange(2, 8))]
        answer = ranker.rank(query, docs, decoder=rng.choice(["rsd", "exact", "sd", "std", "ar"]))
        assert sorted(answer.order) == list(range(len(docs)))
        if i % 10 == 0:
            try:
                ranker.rank(query, docs, decoder="none")
            except rsd.RsdError:
                pass


class Memory(unittest.TestCase):
    def test_is_flat_over_ten_thousand_rankings(self):
        rng = random.Random(SEED)
        print(f"seed {SEED}")
        with rsd.Ranker(TINY, threads=1, policy="replay", prompt_cache_mib=1) as ranker:
            rank_some(ranker, rng, 2000)  # the caches fill, and the allocator finds its size
            gc.collect()
            before = resident_mib()
            rank_some(ranker, rng, 8000)
            gc.collect()
            after = resident_mib()
        print(f"resident: {before:.1f} MiB after 2,000 rankings, {after:.1f} after 10,000")
        self.assertLess(after, 1.02 * before)


if __name__ == "__main__":
    unittest.main()
