"""The objective, the sampling and the export, by values that can be worked out by hand."""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from calibrate import area_under_roc, calibration_error, fit, probabilities
from crew import Alone, Crew
from examples import LONG_CHARS, PassageSource, RecommendationSource, choose, draw_order, split
from export import gguf_tensors, permute_rows, read, write
from losses import first_position_loss, listwise_loss, relevance_loss
from plot import WIDTH, mean_losses, validations
from teacher import Cooccurrence, RecommendationWeights
from train import Data, reopened, share


def test_listwise_loss_is_one_for_blind_logits_and_a_sure_teacher():
    teacher = torch.tensor([3.0, 2.0, 1.0, 0.0])
    loss = listwise_loss(torch.zeros(3, 4), teacher, [0, 1, 2, 3], temperature=1e-3)
    assert loss.item() == pytest.approx(1.0, abs=1e-5)


def test_listwise_loss_vanishes_when_the_logits_are_the_teacher():
    teacher = torch.tensor([0.3, -1.0, 0.9, 0.1, -0.4])
    logits = (teacher / 0.2).expand(3, -1) + torch.tensor([[5.0], [0.0], [-2.0]])
    assert listwise_loss(logits, teacher, [2, 0, 3, 4, 1], 0.2).item() == pytest.approx(0, abs=1e-6)


def test_listwise_loss_ignores_what_is_placed_and_has_finite_gradients():
    teacher = torch.tensor([1.0, 0.0, -1.0])
    logits = torch.zeros(2, 3, requires_grad=True)
    listwise_loss(logits, teacher, [0, 1, 2], 0.2).backward()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[1, 0] == 0
    assert logits.grad[0, 0] < 0 < logits.grad[0, 2]


def test_first_position_loss_by_hand():
    # One pair, one standard deviation apart or more: softplus of the wrong difference.
    loss = first_position_loss(torch.tensor([0.5, 2.0]), torch.tensor([1.0, -1.0]))
    assert loss.item() == pytest.approx(math.log1p(math.exp(1.5)), rel=1e-5)
    assert first_position_loss(torch.tensor([0.5, 2.0]), torch.zeros(2)).item() == 0


def test_relevance_loss_takes_unknown_labels_from_the_teacher_alone():
    logits = torch.tensor([2.0, -1.0, 0.5], requires_grad=True)
    labels = torch.tensor([1.0, 0.0, math.nan])
    level = torch.zeros(3)
    relevance_loss(logits, labels, level).backward()
    # Sigmoid less label, in the mean of the two that are known.
    expected = [(1 / (1 + math.exp(-2)) - 1) / 2, 1 / (1 + math.exp(1)) / 2, 0]
    assert logits.grad.tolist() == pytest.approx(expected, rel=1e-5)
    ranked = relevance_loss(logits, torch.full((3,), math.nan), torch.tensor([0.0, 1.0, 2.0]))
    assert ranked.item() == pytest.approx(first_position_loss(logits, torch.tensor([0.0, 1.0, 2.0])).item())


def test_calibration_finds_the_scale_and_the_bias_that_made_the_labels():
    rng = np.random.default_rng(7)
    readings = rng.normal(0, 3, 20_000)
    relevant = (rng.random(20_000) < probabilities(readings, 0.8, -1.5)).astype(float)
    scale, bias = fit(readings, relevant)
    assert scale == pytest.approx(0.8, abs=0.05)
    assert bias == pytest.approx(-1.5, abs=0.1)
    assert calibration_error(probabilities(readings, scale, bias), relevant) < 0.02
    assert calibration_error(probabilities(readings, scale, bias + 2), relevant) > 0.1
    assert area_under_roc(readings, relevant) > 0.8
    assert area_under_roc(-readings, relevant) < 0.2
    assert area_under_roc(np.zeros(4), np.array([1.0, 0, 1, 0])) == 0.5


def test_draw_order_follows_the_teacher_and_lets_near_ties_fall_either_way():
    rng = random.Random(1)
    orders = [draw_order(rng, np.array([2.0, 0.01, 0.0]), 0.2) for _ in range(400)]
    assert all(order[0] == 0 for order in orders)
    assert 140 < sum(order[1] == 1 for order in orders) < 270


def test_choose_keeps_the_foreign_texts_and_shuffles():
    rng = random.Random(1)
    scores = np.arange(12.0)  # 0..8 own, 9..11 foreign
    places = []
    for _ in range(300):
        kept = choose(rng, scores, 6, 3)
        assert len(set(kept)) == 6
        assert {9, 10, 11} <= set(kept)
        places += [kept.index(9)]
    assert set(places) == set(range(6))


class OneHotEmbedder:
    """Texts are as near as they share words."""

    def add(self, texts):
        pass

    def cosines(self, query, texts):
        words = set(query.split())
        return np.array([len(words & set(t.split())) / len(words) for t in texts])


def test_passages_judged_relevant_lead_the_teacher():
    candidates = [{"id": str(i), "text": f"word{i}"} for i in range(8)]
    request = {"query": "word1", "candidates": candidates, "relevance": {"5": 3}}
    source = PassageSource([request], OneHotEmbedder(), label_weight=2.0)
    query, texts, bonus = source.real(request)
    scores = OneHotEmbedder().cosines(query, texts) + bonus
    assert query == "word1"
    assert texts[int(np.argmax(scores))] == "word5"
    assert scores[1] == 1


def test_passages_are_known_to_be_relevant_where_they_were_judged_for_that_query():
    def request(name: str, relevant: str) -> dict:
        candidates = [{"id": str(i), "text": f"{name}{i}"} for i in range(6)]
        return {"query": f"{name} query", "candidates": candidates, "relevance": {relevant: 1}}

    requests = [request("word", "2"), request("other", "4")]
    source = PassageSource(requests, OneHotEmbedder(), label_weight=0.3)
    judged = 0
    for seed in range(40):
        [example] = source.draw(random.Random(seed), n_items=9, max_chars=500)
        own, foreign = ("word", "other") if "word" in example.request["query"] else ("other", "word")
        labels = dict(zip((c["text"] for c in example.request["candidates"]), example.relevant, strict=True))
        assert all(value == 0 for text, value in labels.items() if text.startswith(foreign))
        own_labels = {text: value for text, value in labels.items() if text.startswith(own)}
        if example.request["query"] == f"{own} query":
            judged += 1
            best = {"word": "word2", "other": "other4"}[own]
            assert own_labels == {text: float(text == best) for text in own_labels}
        else:
            assert all(math.isnan(value) for value in own_labels.values())
    assert 10 < judged < 35


def test_what_nobody_judged_is_unknown_where_irrelevant_passages_are_listed_too():
    def candidates(name: str) -> list[dict]:
        return [{"id": str(i), "text": f"{name}{i}"} for i in range(6)]

    judged = {"query": "word query", "candidates": candidates("word"), "relevance": {"2": 1, "3": 0}}
    unjudged = {"query": "other query", "candidates": candidates("other")}
    for requests in ([judged], [judged, unjudged], [unjudged, judged]):
        source = PassageSource(requests, OneHotEmbedder(), label_weight=0.3)
        n_judged = 0
        for seed in range(40):
            [example] = source.draw(random.Random(seed), n_items=6, max_chars=500)
            query = example.request["query"]
            labels = dict(zip((c["text"] for c in example.request["candidates"]), example.relevant, strict=True))
            own = {text: value for text, value in labels.items() if text.startswith(query[:4])}
            known = {text: value for text, value in own.items() if not math.isnan(value)}
            if query == judged["query"]:
                n_judged += 1
                assert known == {text: value for text, value in {"word2": 1, "word3": 0}.items() if text in own}
            else:
                assert known == {}
        assert n_judged > 0


def test_several_queries_are_about_the_same_texts_and_stand_in_none_of_them():
    candidates = [{"id": str(i), "text": f"word{i}"} for i in range(9)]
    requests = [{"query": "word3 asked", "candidates": candidates, "relevance": {"3": 1}},
                {"query": "other asked", "candidates": [{"id": "0", "text": "other0"}], "relevance": {}}]  # fmt: skip
    source = PassageSource(requests, OneHotEmbedder(), label_weight=0.3)
    n_examples = []
    for seed in range(30):
        examples = source.draw(random.Random(seed), n_items=5, max_chars=500, n_queries=3)
        n_examples.append(len(examples))
        queries = [e.request["query"] for e in examples]
        assert len(set(queries)) == len(queries)
        for example in examples:
            texts = [c["text"] for c in example.request["candidates"]]
            assert texts == [c["text"] for c in examples[0].request["candidates"]]
            assert example.request["query"] not in texts
            assert len(example.teacher) == len(example.relevant) == len(texts)
        for example in examples[1:]:
            assert not (example.relevant == 1).any(), "nobody has judged these queries"
    assert max(n_examples) == 3


class BlindEmbedder:
    def add(self, texts):
        pass

    def vectors(self, texts):
        return np.ones((len(texts), 1))


def test_several_histories_choose_among_the_same_titles_none_of_which_they_contain():
    requests = [
        {"history": [f"t{u}-{n}" for n in range(5)], "candidates": [{"id": "0", "text": f"t{u}-5"}],
         "relevance": {"0": 1}} for u in range(6)
    ]  # fmt: skip
    source = RecommendationSource(requests, BlindEmbedder(), RecommendationWeights())
    for seed in range(20):
        examples = source.draw(random.Random(seed), n_items=9, max_chars=500, n_queries=4)
        assert len(examples) == 3  # one for each three titles
        for example in examples:
            texts = [c["text"] for c in example.request["candidates"]]
            assert texts == [c["text"] for c in examples[0].request["candidates"]]
            assert len(texts) == 9
            assert not set(texts) & set(example.request["history"])
            [following] = np.flatnonzero(example.relevant == 1)
            user, number = texts[following].split("-")
            assert example.request["history"] == [f"{user}-{n}" for n in range(int(number))]


def test_long_passages_are_a_text_and_its_neighbours_and_keep_the_best_judgement():
    texts = [f"word{i} " + "x" * 300 for i in range(9)]
    request = {
        "query": "word0",
        "candidates": [{"id": str(i), "text": text} for i, text in enumerate(texts)],
        "relevance": {"0": 1, "8": 1},
    }
    source = PassageSource([request], OneHotEmbedder(), label_weight=2.0)
    request["candidates"][0]["text"] = "none " + "x" * 300  # the query stands in no text
    judged = np.array([0, 0, 2.0])
    joined, bonus = source._joined(random.Random(1), request, "word0", texts[2:4] + texts[8:], judged)
    assert all(600 < len(text) <= LONG_CHARS for text in joined)
    assert "word8" in joined[2] and bonus[2] == 2
    assert [b > 0 for b in bonus] == ["none" in t or "word8" in t for t in joined]
    # Judgements of the request's query are not used for another one, and a text that contains it is
    # excluded.
    joined, bonus = source._joined(random.Random(1), request, "word1", texts[2:4] + texts[8:], np.zeros(3))
    assert not bonus.any() and not any("word1" in text for text in joined)


def test_a_crew_adds_the_gradients_that_one_process_would():
    def parameters():
        torch.manual_seed(1)
        return [torch.nn.Parameter(torch.randn(3, 2)), torch.nn.Parameter(torch.randn(2))]

    def loss_of(p):
        return lambda number: ((p[0] @ p[1] - number) ** 2).sum()

    alone, shared = parameters(), parameters()
    crew = Crew(2, shared, loss_of(shared))
    for _ in range(2):  # a second step sees the parameters of the first
        losses = Alone(loss_of(alone)).add_gradients(range(5))
        assert crew.add_gradients(range(5)) == pytest.approx(losses)
        for one, other in zip(alone, shared, strict=True):
            assert torch.allclose(one.grad, other.grad)
            with torch.no_grad():
                one -= 0.01 * one.grad
                other -= 0.01 * other.grad
            one.grad = other.grad = None
    crew.close()


def test_a_crew_ends_with_its_trainer():
    program = (
        "import os, torch, time\n"
        "from crew import Crew\n"
        "def loss(number):\n"
        "    return torch.zeros(1, requires_grad=True).sum() + os.getpid()\n"
        "crew = Crew(1, [torch.nn.Parameter(torch.zeros(1))], loss)\n"
        "print(int(crew.add_gradients([0])[0]), flush=True)\n"
        "time.sleep(60)\n"
    )
    trainer = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=Path(__file__).parent
    )
    worker = int(float(trainer.stdout.readline()))
    os.kill(worker, 0)
    trainer.kill()
    trainer.wait()
    for _ in range(100):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the worker goes on without its trainer")


def test_what_an_example_throws_reaches_the_trainer():
    def loss(number):
        raise ValueError(f"example {number}")

    crew = Crew(2, [torch.nn.Parameter(torch.zeros(1))], loss)
    with pytest.raises(ValueError, match="example 7"):
        crew.add_gradients([7])
    crew.close()


def test_permutation_pairs_the_halves_of_each_head():
    rows = np.arange(8.0).reshape(8, 1)  # two heads of four rows
    assert permute_rows(rows, 2).ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_export_names_and_permutes_only_rows_of_q_and_k():
    prefix = "base_model.model.model.layers.3.self_attn."
    b = np.arange(8.0).reshape(8, 1)
    adapter = {f"{prefix}q_proj.lora_B.weight": b, f"{prefix}v_proj.lora_B.weight": b}
    tensors = dict(gguf_tensors(adapter, n_heads=2, n_kv_heads=1))
    assert tensors["blk.3.attn_q.weight.lora_b"].ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert tensors["blk.3.attn_v.weight.lora_b"].ravel().tolist() == list(range(8))
    with pytest.raises(ValueError, match="modules_to_save"):
        list(gguf_tensors({"modules_to_save.x": b}, 2, 1))


def test_an_exported_adapter_can_be_trained_on(tmp_path):
    prefix = "base_model.model.model.layers.0."
    rng = np.random.default_rng(1)
    adapter = {
        f"{prefix}{block}.{projection}.lora_{side}.weight": rng.integers(-9, 9, shape).astype(np.float32)
        for block, projection in (("self_attn", "q_proj"), ("self_attn", "k_proj"), ("mlp", "up_proj"))
        for side, shape in (("A", (4, 16)), ("B", (16, 4)))
    }
    write(adapter, tmp_path / "a.gguf", "name", 8, (2, 1))
    again = read(tmp_path / "a.gguf", (2, 1))
    assert again.keys() == adapter.keys()
    assert all((again[name] == adapter[name]).all() for name in adapter)


def passage(name: str, texts: list[str], relevant: int) -> dict:
    candidates = [{"id": str(i), "text": text} for i, text in enumerate(texts)]
    return {"id": name, "query": f"query {name}", "candidates": candidates, "relevance": {str(relevant): 1}}


def test_held_out_queries_stand_nowhere_in_what_is_trained_on():
    requests = [passage(str(n), [f"query {n - 1}", f"text {n}", "other"], 1) for n in range(30)]
    requests.append(passage("30", ["query 29", "a", "b"], 1) | {"relevance": {}})
    fit, held_out = split(requests)
    assert [r["id"] for r in held_out] == ["27", "28", "29"]
    assert [r["id"] for r in fit] == [str(n) for n in range(27)] + ["30"]
    assert [c["text"] for c in fit[-1]["candidates"]] == ["a", "b"]


def test_pieces_of_a_held_out_query_are_not_trained_on_however_it_is_typed():
    requests = [passage(str(n), [f"text {n}", f"other {n}"], 0) for n in range(20)]
    requests[3]["query"] = " Query  19"
    requests[4]["candidates"][1]["text"] = "QUERY 18"
    fit, held_out = split(requests)
    assert [r["id"] for r in held_out] == ["18", "19"]
    assert "3" not in [r["id"] for r in fit]
    assert [c["text"] for r in fit if r["id"] == "4" for c in r["candidates"]] == ["text 4"]


def test_a_held_out_user_is_not_trained_on_with_a_shorter_or_longer_history():
    def recommendation(name: str, history: list[str]) -> dict:
        return {"id": name, "history": history, "candidates": [{"id": "0", "text": "c"}], "relevance": {"0": 1}}

    requests = [recommendation(str(n), [f"a{n}", f"b{n}"]) for n in range(17)]
    requests += [recommendation("early", ["a19"]), recommendation("late", ["a19", "b19", "c19"])]
    requests += [recommendation("other", ["b19", "a19"])]
    requests += [recommendation("18", ["a18", "b18"]), recommendation("19", ["a19", "b19"])]
    fit, held_out = split(requests)
    assert [r["id"] for r in held_out] == ["18", "19"]
    assert [r["id"] for r in fit] == [*[str(n) for n in range(17)], "other"]


def test_few_requests_hold_none_out():
    requests = [passage(str(n), ["a", "b"], 0) for n in range(5)]
    assert split(requests) == (requests, [])


def test_association_leaves_the_examples_own_sequence_out():
    alone = Cooccurrence([["a", "b", "c"]])
    assert alone.association(["a", "b"], "c") > 0
    assert alone.association(["a", "b"], "c", counted=True) == pytest.approx(0)
    twice = Cooccurrence([["a", "b", "c"], ["a", "b", "c"]])
    assert twice.association(["a", "b"], "c", counted=True) == pytest.approx(alone.association(["a", "b"], "c"))


def test_learning_curve_takes_means_and_keeps_what_is_left_over():
    entries = [{"examples": n, "loss": float(n >= WIDTH)} for n in range(2 * WIDTH + 3)]
    entries.append({"examples": 9, "validation": {"games": {"mrr": 0.5}}})
    assert mean_losses(entries) == [(WIDTH - 1, 0.0), (2 * WIDTH + 2, 1.0)]
    assert validations(entries) == {"games": [(9, 0.5)]}


def test_metrics_after_the_checkpoint_are_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(f'{{"step": {n}}}\n' for n in range(4)), encoding="utf-8")
    with reopened(path, 2) as metrics:
        metrics.write("next\n")
    assert path.read_text(encoding="utf-8") == '{"step": 0}\n{"step": 1}\n{"step": 2}\nnext\n'


def test_shares_are_named_and_positive():
    assert share("docs=0.25") == ("docs", 0.25)
    for wrong in ("docs", "=1", "docs=0", "docs=-1", "docs=nan", "docs=much"):
        with pytest.raises((argparse.ArgumentTypeError, ValueError)):
            share(wrong)


class WordEmbedder(OneHotEmbedder):
    def vectors(self, texts):
        return np.ones((len(texts), 1))

    def save(self):
        pass


def test_any_sets_are_trained_on_and_their_first_request_tells_the_task(tmp_path):
    def write(name: str, requests: list[dict]) -> None:
        (tmp_path / f"{name}-train.jsonl").write_text("".join(json.dumps(r) + "\n" for r in requests), "utf-8")

    text = "many words make a passage long, " * 6
    write("docs", [passage(str(n), [f"{n} {text}", f"{n} other {text}"], 0) | {"task": "passage"} for n in range(20)])
    write("short", [passage(str(n), [f"text {n}", f"other {n}"], 0) | {"task": "passage"} for n in range(20)])
    titles = [
        {"id": str(n), "task": "recommendation", "history": [f"a{n}", f"b{n}"], "candidates": [{"id": "0", "text": f"c{n}"}],
         "relevance": {"0": 1}} for n in range(20)
    ]  # fmt: skip
    write("titles", titles)
    data = Data(tmp_path, {"docs": 1, "titles": 3, "short": 1}, WordEmbedder())
    assert {name: type(source) for name, source in data.sources.items()} == {
        "docs": PassageSource, "titles": RecommendationSource, "short": PassageSource
    }  # fmt: skip
    assert {name: source.long for name, source in data.sources.items()} == {"docs": True, "titles": False, "short": False}
    assert {name: len(held_out) for name, held_out in data.held_out.items()} == {"docs": 2, "titles": 2, "short": 2}
    tasks = [data.draw(random.Random(seed), 1100)[0].request["task"] for seed in range(200)]
    assert 90 < tasks.count("recommendation") < 150
