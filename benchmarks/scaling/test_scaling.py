"""The simulated fleet keeps its books."""

from __future__ import annotations

import unittest

from simulate import Fleet, Load, Simulation


def run(load: Load, **fleet):
    return Simulation(Fleet(**fleet), load).run()


class Fleets(unittest.TestCase):
    def test_alone_a_request_takes_its_passes_and_round_trips(self):
        result = run(Load(rate=0.05, seconds=400, prompt=2000, items=20, rounds=3), replicas=1, prefill_rate=10_000, pass_ms=10, round_trip_ms=2)
        # Three passes of 10 ms, 2,040 tokens, a round trip a round.
        self.assertAlmostEqual(result.percentile(0.5), 3 * 10 + 204 + 3 * 2, delta=0.01)

    def test_every_request_is_answered_and_its_tokens_are_counted_once(self):
        result = run(Load(rate=50, seconds=10, prompt=500, items=10, rounds=4), replicas=3)
        self.assertEqual(result.n_done, result.n_arrived)
        self.assertEqual(result.tokens, result.n_arrived * (500 + 3 * 10))

    def test_without_affinity_prompts_are_encoded_again(self):
        load = Load(rate=100, seconds=10, rounds=3)
        near, far = run(load, replicas=8), run(load, replicas=8, affinity=False)
        self.assertGreater(far.tokens, 1.5 * near.tokens)
        self.assertEqual(far.n_done, far.n_arrived)

    def test_a_dying_replica_loses_no_request(self):
        result = run(Load(rate=100, seconds=60, rounds=3), replicas=6, mtbf_s=10, repair_s=5)
        self.assertGreater(result.n_moved, 10)
        self.assertEqual(result.n_done, result.n_arrived)

    def test_when_all_are_dead_requests_wait_for_the_first_that_lives(self):
        result = run(Load(rate=5, seconds=60, rounds=2), replicas=1, mtbf_s=10, repair_s=5)
        self.assertEqual(result.n_done, result.n_arrived)

    def test_a_full_fleet_falls_behind(self):
        result = run(Load(rate=100, seconds=10, prompt=2200), replicas=1, prefill_rate=60_000)
        self.assertGreater(result.backlog, 100)
        self.assertGreater(result.busy, 0.99)

    def test_the_same_seed_gives_the_same_figures(self):
        load = Load(rate=100, seconds=5)
        self.assertEqual(run(load, mtbf_s=20).latencies, run(load, mtbf_s=20).latencies)

    def test_a_cache_that_is_too_small_costs_prompts(self):
        load = Load(rate=60, seconds=10, rounds=4)
        self.assertGreater(run(load, replicas=2, cache_tokens=3000).tokens, run(load, replicas=2).tokens)


if __name__ == "__main__":
    unittest.main()
