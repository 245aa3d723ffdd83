"""The tokenizer that a GGUF file holds, with no need for PyTorch."""

from __future__ import annotations

from pathlib import Path

from gguf import GGUFReader
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

CONTROL, USER_DEFINED = 3, 4  # llama.cpp's token types


def load_tokenizer(gguf: Path) -> Tokenizer:
    """Byte-level BPE of the SmolLM family; encodes all text as data, special tokens' names too."""
    reader = GGUFReader(gguf)

    def field(name: str):
        return reader.fields[name].contents()

    if (field("tokenizer.ggml.model"), field("tokenizer.ggml.pre")) != ("gpt2", "smollm"):
        raise ValueError(f"{gguf}: only byte-level BPE of the kind 'smollm' is supported here")
    tokens = field("tokenizer.ggml.tokens")
    merges = [tuple(merge.split(" ")) for merge in field("tokenizer.ggml.merges")]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [t for t, kind in zip(tokens, field("tokenizer.ggml.token_type"), strict=True)
               if kind in (CONTROL, USER_DEFINED)]  # fmt: skip
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in special])
    tokenizer.encode_special_tokens = True
    return tokenizer
