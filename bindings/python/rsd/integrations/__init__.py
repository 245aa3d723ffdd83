"""rsd where people already are. Each module needs the package whose interface it has, and is imported by
itself; importing rsd, or this package, imports none of them.

    rerankers                RsdRanker       a ranker of AnswerDotAI's rerankers
    langchain                RsdRerank       a document compressor of LangChain
    llama_index              RsdRerank       a node postprocessor of LlamaIndex
    haystack                 RsdRanker       a ranker component of Haystack
    pyterrier                RsdReRanker     a transformer of PyTerrier: bm25 >> RsdReRanker(...)
    sentence_transformers    CrossEncoder    CrossEncoder.rank() without torch; needs no package
    runs                     run_of, ...     answers as runs, for ranx, ir-measures and trec_eval

Each takes a Ranker, a RemoteRanker, the model of a Ranker to load (None: the default one), or the URL of
a server. Each has the documents that it was given, not copies of their texts, in its answer. The score of
a document is its relevance, where the answer has that, and else (K - position) / K.
"""
