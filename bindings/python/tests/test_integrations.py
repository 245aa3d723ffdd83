"""rsd.integrations against the real packages, on a tiny model whose weights are random.

`./dev test-integrations` installs the packages of requirements-integrations.txt and runs this. Elsewhere
the tests of a package that isn't installed are skipped, and say so. RSD_LIBRARY and RSD_PROGRAM name the
librsd.so and the program; without the program nothing is tested on a server, which is said too.
"""

import asyncio
import copy
import importlib.metadata
import inspect
import io
import os
import pathlib
import subprocess
import sys
import unittest

import rsd
from rsd import _program
from rsd.integrations import _ranking

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))
from support.rsd_server import Server  # noqa: E402

TINY = ROOT / "tests/models/tiny-bpe.gguf"
QUERY = "how long to steep green tea"
TEXTS = ["Green tea is harvested in spring.", "Steep green tea for two minutes.", " ",
         "Coffee is ground before it is brewed.", "Steep green tea for two minutes.",
         "Tea that steeps for too long is bitter."]
N = len(TEXTS)
OPTIONS = {"budget": 2}
#: The rankers that each integration is tried with, by name.
RANKERS = {}


def setUpModule():
    near = rsd.Ranker(TINY, threads=1, policy="replay")
    unittest.addModuleCleanup(near.close)
    RANKERS["Ranker"] = near
    try:
        program = _program.program_path()
    except rsd.ModelNotFound as missing:
        print(f"\nnot tested with a RemoteRanker: {missing}", file=sys.stderr)
        return
    server = Server(program, "--model", TINY, "--threads", "1", "--policy", "replay")
    unittest.addModuleCleanup(server.__exit__)
    server.wait_until_ready()
    RANKERS["RemoteRanker"] = rsd.RemoteRanker(server.url)


def needs(*packages):
    """Skips a class whose packages, named as on PyPI, aren't installed; prints which versions are tried."""
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return unittest.skip(f"{package} isn't installed")
    print("tried:", *(f"{name} {version}" for name, version in versions.items()), file=sys.stderr)
    return lambda test: test


class Integration(unittest.TestCase):
    def each_ranker(self):
        for name, ranker in RANKERS.items():
            with self.subTest(name):
                yield ranker

    def check(self, ranker, places, top_n=N):
        """`places`: (index in TEXTS, score) in the order that the integration returns."""
        answer = ranker.rank(QUERY, TEXTS, top_n=top_n, **OPTIONS)
        self.assertEqual([index for index, _ in places], answer.order[:top_n])
        for (_, score), result in zip(places, answer):
            self.assertAlmostEqual(score, result.relevance, places=5)


class Shared(Integration):
    def test_importing_rsd_imports_no_other_package(self):
        script = ("import sys, rsd, rsd.integrations, rsd.integrations.runs, "
                  "rsd.integrations.sentence_transformers\n"
                  "print([name for name in ('pandas', 'numpy', 'pydantic', 'torch') if name in sys.modules])")
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "[]\n")

    def test_a_ranker_is_made_from_what_the_user_names(self):
        with _ranking.ranker_of(str(TINY)) as made:
            self.assertIsInstance(made, rsd.Ranker)
        self.assertIsInstance(_ranking.ranker_of("http://127.0.0.1:1"), rsd.RemoteRanker)
        self.assertIs(_ranking.ranker_of(RANKERS["Ranker"]), RANKERS["Ranker"])
        with self.assertRaisesRegex(TypeError, "not a int"):
            _ranking.ranker_of(3)
        with self.assertRaises(rsd.ModelNotFound):
            _ranking.ranker_of("no/such/model.gguf")

    def test_lists_with_nothing_to_compare_keep_their_order(self):
        for ranker in self.each_ranker():
            self.assertEqual(_ranking.rank_texts(ranker, QUERY, []), [])
            self.assertEqual(_ranking.rank_texts(ranker, QUERY, ["", " ", "\n"], 2), [(0, 0.0), (1, 0.0)])
            self.assertEqual([index for index, _ in _ranking.rank_texts(ranker, QUERY, ["one"], 5)], [0])

    def test_without_relevance_the_score_is_the_rank(self):
        results = [rsd.Result(1, "1", "b", 1.0, None), rsd.Result(0, "0", "a", 0.5, None)]
        self.assertEqual(_ranking.places(rsd.Answer(tuple(results))), [(1, 1.0), (0, 0.5)])

    def test_errors_of_a_request_are_rsds(self):
        for ranker in self.each_ranker():
            with self.assertRaisesRegex(rsd.InvalidRequest, "query is empty|query"):
                _ranking.rank_texts(ranker, "", TEXTS)
            with self.assertRaisesRegex(rsd.InvalidRequest, "decoder"):
                _ranking.rank_texts(ranker, QUERY, TEXTS, None, {"decoder": "best"})


@needs("rerankers")
class Rerankers(Integration):
    def ranker(self, ranker):
        from rsd.integrations.rerankers import RsdRanker
        return RsdRanker(ranker, options=OPTIONS)

    def test_is_a_ranker(self):
        from rerankers.models.ranker import BaseRanker
        self.assertIsInstance(self.ranker(RANKERS["Ranker"]), BaseRanker)

    def test_ranks_texts(self):
        for ranker in self.each_ranker():
            results = self.ranker(ranker).rank(query=QUERY, docs=TEXTS)
            self.check(ranker, [(result.doc_id, result.score) for result in results])
            self.assertEqual([result.text for result in results], [TEXTS[r.doc_id] for r in results])
            self.assertEqual([result.rank for result in results], [1, 2, 3, 4, 5, 6])
            self.assertEqual((results.query, results.has_scores), (QUERY, True))
            self.assertEqual(results.top_k(3), results.results[:3])

    def test_ids_are_the_callers(self):
        ids = ["d0", "d1", "d1", "d3", "d4", "d5"]  # one of them twice
        results = self.ranker(RANKERS["Ranker"]).rank(QUERY, TEXTS, doc_ids=ids)
        order = RANKERS["Ranker"].rank(QUERY, TEXTS, **OPTIONS).order
        self.assertEqual([result.doc_id for result in results], [ids[index] for index in order])
        with self.assertRaisesRegex(ValueError, "2 doc_ids for 6 docs"):
            self.ranker(RANKERS["Ranker"]).rank(QUERY, TEXTS, doc_ids=["a", "b"])

    def test_documents_are_those_that_were_given(self):
        from rerankers import Document
        docs = [Document(text, doc_id=f"d{i}", metadata={"page": i}) for i, text in enumerate(TEXTS)]
        results = self.ranker(RANKERS["Ranker"]).rank(QUERY, docs)
        self.assertEqual({id(result.document) for result in results}, {id(doc) for doc in docs})
        renamed = self.ranker(RANKERS["Ranker"]).rank(QUERY, docs, doc_ids=list("abcdef"))
        self.assertEqual({(r.doc_id, r.document.metadata["page"]) for r in renamed}, set(zip("abcdef", range(6))))
        self.assertEqual(docs[0].doc_id, "d0")

    def test_one_document_and_none(self):
        ranker = self.ranker(RANKERS["Ranker"])
        self.assertEqual(ranker.rank(QUERY, TEXTS[0]).results_count(), 1)
        self.assertEqual(ranker.rank(QUERY, []).results, [])

    def test_async(self):
        for ranker in self.each_ranker():
            results = asyncio.run(self.ranker(ranker).rank_async(QUERY, TEXTS))
            self.check(ranker, [(result.doc_id, result.score) for result in results])

    def test_a_pair_has_no_score_of_its_own(self):
        with self.assertRaisesRegex(rsd.RsdError, "use rank"):
            self.ranker(RANKERS["Ranker"]).score(QUERY, TEXTS[0])


@needs("langchain-core")
class LangChain(Integration):
    def documents(self):
        from langchain_core.documents import Document
        return [Document(page_content=text, id=f"d{i}", metadata={"place": i, "nested": {"page": i}})
                for i, text in enumerate(TEXTS)]

    def places(self, documents):
        return [(document.metadata["place"], document.metadata["relevance_score"])
                for document in documents]

    def test_compresses(self):
        from rsd.integrations.langchain import RsdRerank
        for ranker in self.each_ranker():
            for top_n in (None, 3, 100):
                documents = RsdRerank(ranker=ranker, top_n=top_n, options=OPTIONS).compress_documents(
                    self.documents(), QUERY)
                self.check(ranker, self.places(documents), min(top_n or N, N))

    def test_compresses_async(self):
        from rsd.integrations.langchain import RsdRerank
        for ranker in self.each_ranker():
            compressor = RsdRerank(ranker=ranker, top_n=3, options=OPTIONS)
            documents = asyncio.run(compressor.acompress_documents(self.documents(), QUERY))
            self.check(ranker, self.places(documents), 3)

    def test_documents_keep_their_fields(self):
        from rsd.integrations.langchain import RsdRerank
        given = self.documents()
        before = copy.deepcopy(given)
        for document in RsdRerank(ranker=RANKERS["Ranker"]).compress_documents(given, QUERY):
            original = given[document.metadata.pop("place")]
            document.metadata.pop("relevance_score")
            self.assertEqual((document.page_content, document.id), (original.page_content, original.id))
            self.assertEqual(document.metadata, {"nested": original.metadata["nested"]})
        self.assertEqual(given, before)

    def test_documents_keep_their_class(self):
        from langchain_core.documents import Document
        from rsd.integrations.langchain import RsdRerank

        class Page(Document):
            number: int

        pages = RsdRerank(ranker=RANKERS["Ranker"]).compress_documents(
            [Page(page_content=text, number=i) for i, text in enumerate(TEXTS)], QUERY)
        self.assertEqual(sorted(page.number for page in pages), list(range(N)))

    def test_is_part_of_a_chain(self):
        from langchain_core.runnables import RunnableLambda
        from rsd.integrations.langchain import RsdRerank
        compressor = RsdRerank(ranker=RANKERS["Ranker"], top_n=2)
        chain = RunnableLambda(lambda query: self.documents()) | RunnableLambda(
            lambda documents: compressor.compress_documents(documents, QUERY))
        self.assertEqual(len(chain.invoke(QUERY)), 2)

    def test_nothing_found_is_nothing_returned(self):
        from rsd.integrations.langchain import RsdRerank
        self.assertEqual(list(RsdRerank(ranker=RANKERS["Ranker"]).compress_documents([], QUERY)), [])

    def test_wrong_arguments_are_errors(self):
        from rsd.integrations.langchain import RsdRerank
        for arguments in ({"top_n": 0}, {"depth": 3}):
            with self.assertRaises(ValueError):
                RsdRerank(ranker=RANKERS["Ranker"], **arguments)
        with self.assertRaises(FileNotFoundError):
            RsdRerank(ranker="no/such/model.gguf")


@needs("langchain-classic")
class LangChainRetriever(Integration):
    def test_compresses_what_a_retriever_finds(self):
        from langchain_classic.retrievers import ContextualCompressionRetriever
        from langchain_core.documents import Document
        from langchain_core.retrievers import BaseRetriever
        from rsd.integrations.langchain import RsdRerank

        class All(BaseRetriever):
            def _get_relevant_documents(self, query, *, run_manager):
                return [Document(page_content=text, metadata={"place": i}) for i, text in enumerate(TEXTS)]

        retriever = ContextualCompressionRetriever(
            base_compressor=RsdRerank(ranker=RANKERS["Ranker"], top_n=2, options=OPTIONS),
            base_retriever=All())
        places = [(d.metadata["place"], d.metadata["relevance_score"]) for d in retriever.invoke(QUERY)]
        self.check(RANKERS["Ranker"], places, 2)


@needs("llama-index-core")
class LlamaIndex(Integration):
    def nodes(self):
        from llama_index.core.schema import NodeWithScore, TextNode
        return [NodeWithScore(node=TextNode(text=text, id_=str(i), metadata={"file": f"{i}.txt"},
                                            excluded_embed_metadata_keys=["file"]), score=0.5)
                for i, text in enumerate(TEXTS)]

    def places(self, nodes):
        return [(int(node.node.node_id), node.score) for node in nodes]

    def test_postprocesses(self):
        from rsd.integrations.llama_index import RsdRerank
        for ranker in self.each_ranker():
            for top_n in (None, 3, 100):
                nodes = RsdRerank(ranker=ranker, top_n=top_n, options=OPTIONS).postprocess_nodes(
                    self.nodes(), query_str=QUERY)
                self.check(ranker, self.places(nodes), min(top_n or N, N))

    def test_postprocesses_async(self):
        from llama_index.core.schema import QueryBundle
        from rsd.integrations.llama_index import RsdRerank
        for ranker in self.each_ranker():
            nodes = asyncio.run(RsdRerank(ranker=ranker, top_n=3, options=OPTIONS).apostprocess_nodes(
                self.nodes(), QueryBundle(QUERY)))
            self.check(ranker, self.places(nodes), 3)

    def test_nodes_are_those_that_were_given(self):
        from rsd.integrations.llama_index import RsdRerank
        given = self.nodes()
        ranked = RsdRerank(ranker=RANKERS["Ranker"]).postprocess_nodes(given, query_str=QUERY)
        self.assertEqual({id(node.node) for node in ranked}, {id(node.node) for node in given})
        self.assertEqual([node.score for node in given], [0.5] * N)

    def test_metadata_are_read_as_an_embedding_model_would(self):
        from llama_index.core.schema import MetadataMode, NodeWithScore, TextNode
        from rsd.integrations.llama_index import RsdRerank
        nodes = [NodeWithScore(node=TextNode(text="", metadata={"title": title})) for title in ("a", "b")]
        titled = RsdRerank(ranker=RANKERS["Ranker"]).postprocess_nodes(nodes, query_str=QUERY)
        self.assertTrue(all(node.score > 0 for node in titled))
        blank = RsdRerank(ranker=RANKERS["Ranker"], metadata_mode=MetadataMode.NONE).postprocess_nodes(
            nodes, query_str=QUERY)
        self.assertEqual([node.score for node in blank], [0, 0])

    def test_nothing_found_and_no_query(self):
        from rsd.integrations.llama_index import RsdRerank
        reranker = RsdRerank(ranker=RANKERS["Ranker"])
        self.assertEqual(reranker.postprocess_nodes([], query_str=QUERY), [])
        with self.assertRaisesRegex(ValueError, "no query"):
            reranker.postprocess_nodes(self.nodes())
        self.assertEqual(reranker.class_name(), "RsdRerank")

    def test_serves_a_query_engine(self):
        from llama_index.core import VectorStoreIndex
        from llama_index.core.embeddings import MockEmbedding
        from llama_index.core.llms import MockLLM
        from rsd.integrations.llama_index import RsdRerank
        index = VectorStoreIndex([node.node for node in self.nodes() if node.node.text.strip()],
                                 embed_model=MockEmbedding(embed_dim=4))
        engine = index.as_query_engine(
            llm=MockLLM(), similarity_top_k=5,
            node_postprocessors=[RsdRerank(ranker=RANKERS["Ranker"], top_n=2)])
        self.assertEqual(len(engine.query(QUERY).source_nodes), 2)


@needs("haystack-ai")
class Haystack(Integration):
    def documents(self):
        from haystack import Document
        return [Document(id=str(i), content=text, meta={"title": f"title {i}"}, embedding=[0.0, 1.0], score=9.0)
                for i, text in enumerate(TEXTS)]

    def places(self, run):
        return [(int(document.id), document.score) for document in run["documents"]]

    def test_ranks(self):
        from rsd.integrations.haystack import RsdRanker
        for ranker in self.each_ranker():
            component = RsdRanker(ranker, top_k=None, options=OPTIONS)
            component.warm_up()
            self.check(ranker, self.places(component.run(QUERY, self.documents())))
            self.check(ranker, self.places(component.run(QUERY, self.documents(), top_k=3)), 3)
            self.check(ranker, self.places(component.run(QUERY, self.documents(), top_k=100)))

    def test_ranks_async(self):
        from rsd.integrations.haystack import RsdRanker
        for ranker in self.each_ranker():
            run = asyncio.run(RsdRanker(ranker, top_k=3, options=OPTIONS).run_async(QUERY, self.documents()))
            self.check(ranker, self.places(run), 3)

    def test_documents_keep_their_fields(self):
        from rsd.integrations.haystack import RsdRanker
        given = self.documents()
        for document in RsdRanker(RANKERS["Ranker"]).run(QUERY, given)["documents"]:
            original = given[int(document.id)]
            self.assertEqual({**document.to_dict(), "score": 9.0}, original.to_dict())
        self.assertEqual(given, self.documents())

    def test_documents_without_content_are_last(self):
        from haystack import Document
        from rsd.integrations.haystack import RsdRanker
        documents = [Document(id="none"), Document(id="text", content="Steep it.")]
        ranked = RsdRanker(RANKERS["Ranker"]).run(QUERY, documents)["documents"]
        self.assertEqual([document.id for document in ranked], ["text", "none"])
        titled = RsdRanker(RANKERS["Ranker"], meta_fields_to_embed=["title"]).run(
            QUERY, [Document(id="a", meta={"title": "Tea"}), Document(id="b", meta={"title": "Ink"})])
        self.assertTrue(all(document.score > 0 for document in titled["documents"]))

    def test_the_model_is_loaded_when_it_is_needed(self):
        from rsd.integrations.haystack import RsdRanker
        component = RsdRanker("no/such/model.gguf")
        with self.assertRaises(FileNotFoundError):
            component.warm_up()
        with self.assertRaises(FileNotFoundError):
            component.run(QUERY, self.documents())

    def test_pipelines_are_saved_and_loaded(self):
        from haystack import Pipeline
        from rsd.integrations.haystack import RsdRanker
        pipeline = Pipeline()
        pipeline.add_component("ranker", RsdRanker(str(TINY), top_k=2, meta_fields_to_embed=["title"],
                                                   options=OPTIONS))
        # Haystack loads only classes of modules that are allowed.
        again = Pipeline.loads(pipeline.dumps(), allowed_modules=["rsd.integrations"])
        component = again.get_component("ranker")
        self.assertEqual(component.to_dict(), pipeline.get_component("ranker").to_dict())
        self.assertEqual((component.ranker, component.top_k, component.options), (str(TINY), 2, OPTIONS))
        found = again.run({"ranker": {"query": QUERY, "documents": self.documents()}})
        self.assertEqual(len(found["ranker"]["documents"]), 2)

    def test_a_loaded_ranker_is_not_saved(self):
        from rsd.integrations.haystack import RsdRanker
        with self.assertRaisesRegex(ValueError, "can't be saved"):
            RsdRanker(RANKERS["Ranker"]).to_dict()

    def test_nothing_found_and_wrong_arguments(self):
        from rsd.integrations.haystack import RsdRanker
        self.assertEqual(RsdRanker(RANKERS["Ranker"]).run(QUERY, []), {"documents": []})
        with self.assertRaisesRegex(ValueError, "top_k is 0"):
            RsdRanker(RANKERS["Ranker"], top_k=0)
        with self.assertRaisesRegex(ValueError, "top_k is -1"):
            RsdRanker(RANKERS["Ranker"]).run(QUERY, self.documents(), top_k=-1)


@needs("python-terrier")
class PyTerrier(Integration):
    def found(self):
        """What a first stage has found for three queries, of which the last has only blank texts."""
        import pandas
        rows = [{"qid": qid, "query": f"{QUERY} {qid}", "docno": f"d{i}", "text": text, "rank": i,
                 "score": 10.0 - i, "site": f"site {i}"}
                for qid, texts in (("q2", TEXTS), ("q1", TEXTS[::-1]), ("q3", ["", None]))
                for i, text in enumerate(texts)]
        return pandas.DataFrame(rows)

    def test_ranks_each_query(self):
        from rsd.integrations.pyterrier import RsdReRanker
        for ranker in self.each_ranker():
            ranked = RsdReRanker(ranker, options=OPTIONS).transform(self.found())
            for qid, texts in (("q2", TEXTS), ("q1", TEXTS[::-1])):
                answer = ranker.rank(f"{QUERY} {qid}", texts, **OPTIONS)
                rows = ranked[ranked.qid == qid]
                self.assertEqual(rows.docno.tolist(), [f"d{index}" for index in answer.order])
                self.assertEqual(rows["rank"].tolist(), list(range(N)))
                self.assertEqual(rows.score.tolist(), [result.score for result in answer])
                self.assertEqual(rows.text.tolist(), [texts[index] for index in answer.order])
                self.assertEqual(rows.site.tolist(), [f"site {index}" for index in answer.order])
            self.assertEqual(ranked[ranked.qid == "q3"].docno.tolist(), ["d0", "d1"])
            self.assertTrue(ranked[ranked.qid == "q3"].relevance.isna().all())

    def test_the_frame_that_was_given_stays_as_it_is(self):
        from rsd.integrations.pyterrier import RsdReRanker
        given = self.found()
        given.index = range(100, 100 + len(given))
        before = given.copy()
        RsdReRanker(RANKERS["Ranker"]).transform(given)
        self.assertTrue(given.equals(before))

    def test_an_empty_frame_has_the_columns_of_others(self):
        from rsd.integrations.pyterrier import RsdReRanker
        reranker = RsdReRanker(RANKERS["Ranker"])
        full, empty = reranker.transform(self.found()), reranker.transform(self.found().iloc[:0])
        self.assertEqual((len(empty), list(empty.columns)), (0, list(full.columns)))

    def test_pipelines_are_compared_in_experiments(self):
        import pandas
        import pyterrier as pt
        from rsd.integrations.pyterrier import RsdReRanker
        found = self.found()[lambda frame: frame.qid != "q3"]
        first = pt.Transformer.from_df(found)
        topics = found[["qid", "query"]].drop_duplicates()
        best = {qid: RANKERS["Ranker"].rank(f"{QUERY} {qid}", group.text.tolist(), **OPTIONS).order[0]
                for qid, group in found.groupby("qid")}
        qrels = pandas.DataFrame([{"qid": qid, "docno": f"d{index}", "label": 1}
                                  for qid, index in best.items()])
        table = pt.Experiment([first, first >> RsdReRanker(RANKERS["Ranker"], options=OPTIONS)], topics, qrels,
                              ["recip_rank", "ndcg_cut_10"], names=["first", "rsd"]).set_index("name")
        self.assertEqual(table.loc["rsd", "recip_rank"], 1)
        self.assertLess(table.loc["first", "recip_rank"], 1)

    def test_cutoffs_and_other_text_columns(self):
        import pyterrier as pt
        from rsd.integrations.pyterrier import RsdReRanker
        first = pt.Transformer.from_df(self.found().rename(columns={"text": "body"}))
        topics = self.found()[["qid", "query"]].drop_duplicates()
        pipeline = first >> RsdReRanker(RANKERS["Ranker"], text_field="body", options={"top_n": 2}) % 2
        self.assertEqual(len(pipeline(topics)), 6)

    def test_a_missing_column_is_named(self):
        import pyterrier as pt
        from rsd.integrations.pyterrier import RsdReRanker
        with self.assertRaisesRegex(pt.validate.InputValidationError, "text"):
            RsdReRanker(RANKERS["Ranker"]).transform(self.found().drop(columns="text"))

    @unittest.skipUnless(os.environ.get("RSD_TEST_TERRIER"),
                         "Terrier's BM25 needs Java, and fetches its jars from Maven; RSD_TEST_TERRIER=1 tries it")
    def test_ranks_what_terriers_bm25_finds(self):
        import tempfile
        import pyterrier as pt
        from rsd.integrations.pyterrier import RsdReRanker
        with tempfile.TemporaryDirectory() as folder:
            documents = [{"docno": f"d{i}", "text": text} for i, text in enumerate(TEXTS)]
            index = pt.IterDictIndexer(folder, meta={"docno": 20, "text": 4096}).index(documents)
            bm25 = pt.terrier.Retriever(index, wmodel="BM25", metadata=["docno", "text"])
            ranked = (bm25 >> RsdReRanker(RANKERS["Ranker"])).search("steep green tea")
        self.assertIn("d1", ranked.docno.tolist())


class CrossEncoder(Integration):
    def encoder(self, ranker):
        from rsd.integrations.sentence_transformers import CrossEncoder
        return CrossEncoder(ranker, options=OPTIONS)

    def test_ranks(self):
        for ranker in self.each_ranker():
            for top_k in (None, 3, 100):
                hits = self.encoder(ranker).rank(QUERY, TEXTS, top_k=top_k)
                self.check(ranker, [(hit["corpus_id"], hit["score"]) for hit in hits], min(top_k or N, N))
                self.assertEqual({tuple(hit) for hit in hits}, {("corpus_id", "score")})

    def test_returns_documents(self):
        hits = self.encoder(RANKERS["Ranker"]).rank(QUERY, TEXTS, return_documents=True, batch_size=8,
                                                    show_progress_bar=False)
        self.assertTrue(all(hit["text"] is TEXTS[hit["corpus_id"]] for hit in hits))

    def test_no_documents_and_wrong_arguments(self):
        self.assertEqual(self.encoder(RANKERS["Ranker"]).rank(QUERY, []), [])
        with self.assertRaisesRegex(ValueError, "top_k is 0"):
            self.encoder(RANKERS["Ranker"]).rank(QUERY, TEXTS, top_k=0)
        with self.assertRaises(TypeError):
            self.encoder(RANKERS["Ranker"]).rank(QUERY, TEXTS, convert_to_tensor=True)

    @needs("sentence-transformers")
    def test_arguments_are_those_of_sentence_transformers(self):
        import sentence_transformers
        theirs = inspect.signature(sentence_transformers.CrossEncoder.rank).parameters
        ours = inspect.signature(self.encoder(RANKERS["Ranker"]).rank).parameters
        self.assertLessEqual(set(ours), set(theirs))


def ranked(qid, *ids):
    results = [rsd.Result(place, own_id, "", (len(ids) - place) / len(ids), 0.1 * place)
               for place, own_id in enumerate(ids)]  # a relevance that increases, as probabilities may
    return qid, rsd.Answer(tuple(results))


class Runs(Integration):
    ANSWERS = [ranked("q1", "b", "a", "c"), ranked("q2", "x")]

    def test_scores_keep_the_order(self):
        from rsd.integrations.runs import run_of
        run = run_of(self.ANSWERS)
        self.assertEqual(run, {"q1": {"b": 1.0, "a": 2 / 3, "c": 1 / 3}, "q2": {"x": 1.0}})
        self.assertEqual(list(run["q1"]), ["b", "a", "c"])
        self.assertEqual(run_of(dict(self.ANSWERS)), run)
        with self.assertRaisesRegex(ValueError, "'q1' has two answers"):
            run_of([self.ANSWERS[0], self.ANSWERS[0]])

    def test_writes_trec(self):
        from rsd.integrations.runs import write_trec
        file = io.StringIO()
        write_trec(self.ANSWERS, file, tag="mine")
        lines = [line.split() for line in file.getvalue().splitlines()]
        self.assertEqual([line[:4] for line in lines], [["q1", "Q0", "b", "1"], ["q1", "Q0", "a", "2"],
                                                        ["q1", "Q0", "c", "3"], ["q2", "Q0", "x", "1"]])
        self.assertEqual({line[5] for line in lines}, {"mine"})

    def test_ids_that_trec_cannot_have_are_errors(self):
        from rsd.integrations.runs import write_trec
        for answers, tag in (([ranked("q 1", "a")], "rsd"), ([ranked("q1", "a b")], "rsd"),
                             ([ranked("q1", "")], "rsd"), (self.ANSWERS, "my run")):
            file = io.StringIO()
            with self.assertRaisesRegex(ValueError, "no blanks"):
                write_trec(answers, file, tag)
            self.assertEqual(file.getvalue(), "")

    def run_of_a_ranking(self):
        """A run, and qrels by which its first document is the one that is relevant."""
        from rsd.integrations.runs import run_of
        ids = [f"d{i}" for i in range(N)]
        answer = RANKERS["Ranker"].rank(QUERY, TEXTS, ids=ids)
        return run_of({"q1": answer}), {"q1": {answer.ids[0]: 1, answer.ids[3]: 1}}

    @needs("ranx")
    def test_ranx_evaluates(self):
        import ranx
        run, qrels = self.run_of_a_ranking()
        self.assertEqual(ranx.evaluate(ranx.Qrels(qrels), ranx.Run(run), "mrr"), 1)
        self.assertEqual(ranx.evaluate(ranx.Qrels(qrels), ranx.Run(run), "precision@4"), 0.5)

    @needs("ir-measures")
    def test_ir_measures_evaluates(self):
        import ir_measures
        from ir_measures import P, RR
        run, qrels = self.run_of_a_ranking()
        found = ir_measures.calc_aggregate([RR, P @ 4], qrels, run)
        self.assertEqual((found[RR], found[P @ 4]), (1, 0.5))

    @needs("ir-measures")
    def test_ir_measures_reads_the_trec_run(self):
        import ir_measures
        from rsd.integrations.runs import write_trec
        file = io.StringIO()
        write_trec(self.ANSWERS, file)
        docs = list(ir_measures.read_trec_run(file.getvalue()))
        self.assertEqual([(doc.query_id, doc.doc_id) for doc in docs],
                         [("q1", "b"), ("q1", "a"), ("q1", "c"), ("q2", "x")])


if __name__ == "__main__":
    unittest.main()
