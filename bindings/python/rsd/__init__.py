"""Ranks documents with an LLM in a fixed number of encodings.

    import rsd
    ranker = rsd.Ranker()
    print([result.text for result in ranker.rank("how long to steep green tea", ["Boil.", "Two minutes."])])

Ranker ranks in this process, RemoteRanker on a server that `rsd serve` runs. evaluate() and train() run
the program `rsd` that comes with the package. Importing loads no library and needs no network.
"""

from ._answer import Answer, Result, Round, Windows
from ._errors import Cancelled, InvalidRequest, ModelNotFound, RsdError
from ._program import evaluate, train
from ._ranker import Ranker
from ._remote import RemoteRanker

__version__ = "0.1.0"
__all__ = ["Answer", "Cancelled", "InvalidRequest", "ModelNotFound", "Ranker", "RemoteRanker", "Result",
           "Round", "RsdError", "Windows", "evaluate", "train"]
