#!/usr/bin/env python3
"""Writes tests/models/*.gguf: models of a few hundred kilobytes for the tests of module llm.

    pip install -r tools/make_tiny_models.requirements.txt
    python tools/make_tiny_models.py tests/models

Weights are random, vocabularies are made up here; nothing comes from anybody's model or data. The
same packages and seed give the same bytes.

tiny-bpe              llama, byte-level BPE, ChatML with control tokens, 165 spaced identifiers
tiny-bpe-userdefined  the same vocabulary, but its turn markers and a line break are user-defined
                      tokens, which llama.cpp parses in any text
tiny-spm              llama, SentencePiece with byte fallback, a space put before every text, a
                      token at the beginning, no chat template, 12 identifiers
tiny-mamba            a recurrent model, whose cache can't drop its end
tiny-gemma2           soft-capped logits, sliding-window attention
tiny-phi2             a bias on the logits, norms and feed-forward with biases
tiny-command-r        scaled logits
tiny-qwen2vl          positions of several dimensions (M-RoPE)
tiny-relevance        for prompts in blocks, with tokens " yes" and " no", which its key rsd.relevance
                      makes probabilities
tiny-lora             an adapter for tiny-bpe; tiny-lora-wrong is shaped for another model,
                      tiny-lora-head changes the output head
"""

import argparse
import string
from pathlib import Path

import gguf
import numpy as np
from gguf import TokenType

SEED = 20260
WIDTH = 32
FEED_FORWARD = 64
HEADS = 4
KV_HEADS = 2
CONTEXT = 2048
GREEK = [chr(c) for c in (*range(0x391, 0x3AA), *range(0x3B1, 0x3CA)) if c != 0x3A2]
CYRILLIC = [chr(c) for c in range(0x410, 0x450)]
WORDS = " the| texts| query| rank| relevance| by| to| of| user|Query|Rank|ing|er".split("|")
CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def byte_alphabet():
    """The printable character that byte-level BPE writes for each byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {
        byte: chr(256 + at) for at, byte in enumerate(hidden)
    }


class BpeVocabulary:
    """Bytes, then whatever the added words need, merged from left to right."""

    def __init__(self):
        self.alphabet = byte_alphabet()
        self.tokens = [self.alphabet[byte] for byte in range(256)]
        self.types = [TokenType.NORMAL] * 256
        self.merges = []

    def add_word(self, word):
        symbols = [self.alphabet[byte] for byte in word.encode()]
        merged = symbols[0]
        for symbol in symbols[1:]:
            if merged + symbol not in self.tokens:
                self.merges.append(f"{merged} {symbol}")
                self.add_token(merged + symbol, TokenType.NORMAL)
            merged += symbol

    def add_token(self, text, token_type):
        self.tokens.append(text)
        self.types.append(token_type)
        return len(self.tokens) - 1


def bpe_vocabulary(marker_type, more_words=()):
    vocabulary = BpeVocabulary()
    for letter in (*string.ascii_letters, *GREEK, *CYRILLIC):
        vocabulary.add_word(" " + letter)
    for word in (*WORDS, *more_words):
        vocabulary.add_word(word)
    vocabulary.add_token("<|endoftext|>", TokenType.CONTROL)
    vocabulary.add_token("<|im_start|>", marker_type)
    vocabulary.add_token("<|im_end|>", marker_type)
    if marker_type == TokenType.USER_DEFINED:
        vocabulary.add_token("\n", TokenType.USER_DEFINED)  # as in Gemma's vocabulary
    return vocabulary


def write_bpe(writer, vocabulary):
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    end = vocabulary.tokens.index("<|endoftext|>")
    writer.add_bos_token_id(end)
    writer.add_eos_token_id(vocabulary.tokens.index("<|im_end|>"))
    writer.add_eot_token_id(end)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHATML)
    return len(vocabulary.tokens)


def write_spm(writer):
    tokens = [("<unk>", TokenType.UNKNOWN), ("<s>", TokenType.CONTROL), ("</s>", TokenType.CONTROL)]
    tokens += [(f"<0x{byte:02X}>", TokenType.BYTE) for byte in range(256)]
    pieces = ["▁", *("▁" + letter for letter in string.ascii_uppercase[:12])]
    # A colon is merged with the letter after it, so that "Ranking:A" has no token for A alone.
    pieces += [":", *(":" + letter for letter in string.ascii_letters)]
    pieces += ["an", "in", "ing", "he", "the", "▁the", "er", "ex", "tex", "text", "▁text"]
    pieces += ["</", "</s"]  # a text "</s>" can be merged into the control token
    tokens += [(piece, TokenType.NORMAL) for piece in pieces]
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _ in tokens])
    writer.add_token_scores([float(-at) for at in range(len(tokens))])
    writer.add_token_types([token_type for _, token_type in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    return len(tokens)


class Weights:
    """Gaussian weights; the shapes are row-major, as numpy's are."""

    def __init__(self, writer, seed):
        self.writer = writer
        self.random = np.random.default_rng(seed)

    def add(self, name, shape, deviation):
        values = self.random.normal(0.0, deviation, size=shape)
        self.writer.add_tensor(name, values.astype(np.float32))

    def matrix(self, name, rows, columns, gain=1.5):
        self.add(name, (rows, columns), gain / columns**0.5)

    def norm(self, name, size):
        self.writer.add_tensor(name, np.ones(size, dtype=np.float32))


def write_llama(path, seed, write_vocabulary, layers, tied):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(path.stem)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    n_tokens = write_vocabulary(writer)
    writer.add_vocab_size(n_tokens)
    weights = Weights(writer, seed)
    weights.add("token_embd.weight", (n_tokens, WIDTH), 0.5)
    weights.norm("output_norm.weight", WIDTH)
    if not tied:
        weights.matrix("output.weight", n_tokens, WIDTH, gain=3.0)
    for layer in range(layers):
        block = f"blk.{layer}."
        kv_width = WIDTH * KV_HEADS // HEADS
        weights.norm(block + "attn_norm.weight", WIDTH)
        weights.matrix(block + "attn_q.weight", WIDTH, WIDTH)
        weights.matrix(block + "attn_k.weight", kv_width, WIDTH)
        weights.matrix(block + "attn_v.weight", kv_width, WIDTH)
        weights.matrix(block + "attn_output.weight", WIDTH, WIDTH)
        weights.norm(block + "ffn_norm.weight", WIDTH)
        weights.matrix(block + "ffn_gate.weight", FEED_FORWARD, WIDTH)
        weights.matrix(block + "ffn_up.weight", FEED_FORWARD, WIDTH)
        weights.matrix(block + "ffn_down.weight", WIDTH, FEED_FORWARD)
    finish(writer)


class Architecture:
    """One layer of an architecture whose logits don't come straight out of the head."""

    def __init__(self, path, seed, name):
        self.writer = gguf.GGUFWriter(path, name)
        self.writer.add_name(path.stem)
        self.writer.add_context_length(CONTEXT)
        self.writer.add_embedding_length(WIDTH)
        self.writer.add_block_count(1)
        self.writer.add_feed_forward_length(FEED_FORWARD)
        self.writer.add_head_count(HEADS)
        self.writer.add_head_count_kv(KV_HEADS)
        self.n_tokens = write_bpe(self.writer, bpe_vocabulary(TokenType.CONTROL))
        self.writer.add_vocab_size(self.n_tokens)
        self.weights = Weights(self.writer, seed)
        self.weights.add("token_embd.weight", (self.n_tokens, WIDTH), 0.5)
        self.weights.norm("output_norm.weight", WIDTH)

    def matrices(self, *feed_forward):
        kv_width = WIDTH * KV_HEADS // HEADS
        self.weights.norm("blk.0.attn_norm.weight", WIDTH)
        for name, rows in (("q", WIDTH), ("k", kv_width), ("v", kv_width), ("output", WIDTH)):
            self.weights.matrix(f"blk.0.attn_{name}.weight", rows, WIDTH)
        for name in feed_forward:
            self.weights.matrix(f"blk.0.ffn_{name}.weight", FEED_FORWARD, WIDTH)
        self.weights.matrix("blk.0.ffn_down.weight", WIDTH, FEED_FORWARD)


def write_gemma2(path, seed):
    model = Architecture(path, seed, "gemma2")
    model.writer.add_key_length(WIDTH // HEADS)
    model.writer.add_value_length(WIDTH // HEADS)
    model.writer.add_layer_norm_rms_eps(1e-5)
    model.writer.add_sliding_window(CONTEXT // 2)
    model.writer.add_attn_logit_softcapping(20.0)
    model.writer.add_final_logit_softcapping(3.0)
    model.matrices("gate", "up")
    for name in ("post_attention_norm", "ffn_norm", "post_ffw_norm"):
        model.weights.norm(f"blk.0.{name}.weight", WIDTH)
    finish(model.writer)


def write_phi2(path, seed):
    model = Architecture(path, seed, "phi2")
    model.writer.add_layer_norm_eps(1e-5)
    model.writer.add_rope_dimension_count(WIDTH // HEADS)
    model.matrices("up")
    model.weights.matrix("output.weight", model.n_tokens, WIDTH, gain=3.0)
    model.weights.add("output.bias", (model.n_tokens,), 2.0)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.attn_output", "blk.0.ffn_down"):
        model.weights.add(name + ".bias", (WIDTH,), 0.1)
    model.weights.add("blk.0.ffn_up.bias", (FEED_FORWARD,), 0.1)
    finish(model.writer)


def write_command_r(path, seed):
    model = Architecture(path, seed, "command-r")
    model.writer.add_layer_norm_eps(1e-5)
    model.writer.add_logit_scale(0.25)
    model.matrices("gate", "up")
    finish(model.writer)


def write_qwen2vl(path, seed):
    model = Architecture(path, seed, "qwen2vl")
    model.writer.add_layer_norm_rms_eps(1e-5)
    model.writer.add_rope_dimension_sections([2, 1, 1, 0])  # half of a head
    model.matrices("gate", "up")
    model.weights.norm("blk.0.ffn_norm.weight", WIDTH)
    kv_width = WIDTH * KV_HEADS // HEADS
    for name, size in (("q", WIDTH), ("k", kv_width), ("v", kv_width)):
        model.weights.add(f"blk.0.attn_{name}.bias", (size,), 0.1)
    finish(model.writer)


def write_mamba(path, seed):
    inner, states, rank, kernel = 2 * WIDTH, 8, 4, 4
    writer = gguf.GGUFWriter(path, "mamba")
    writer.add_name(path.stem)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(1)
    writer.add_ssm_conv_kernel(kernel)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_state_size(states)
    writer.add_ssm_time_step_rank(rank)
    writer.add_layer_norm_rms_eps(1e-5)
    n_tokens = write_bpe(writer, bpe_vocabulary(TokenType.CONTROL))
    writer.add_vocab_size(n_tokens)
    weights = Weights(writer, seed)
    weights.add("token_embd.weight", (n_tokens, WIDTH), 0.5)
    weights.norm("output_norm.weight", WIDTH)
    weights.norm("blk.0.attn_norm.weight", WIDTH)
    weights.matrix("blk.0.ssm_in.weight", 2 * inner, WIDTH)
    weights.add("blk.0.ssm_conv1d.weight", (inner, kernel), 0.5)
    weights.add("blk.0.ssm_conv1d.bias", (inner,), 0.1)
    weights.matrix("blk.0.ssm_x.weight", rank + 2 * states, inner)
    weights.matrix("blk.0.ssm_dt.weight", inner, rank)
    weights.add("blk.0.ssm_dt.bias", (inner,), 0.1)
    decay = -np.tile(np.arange(1, states + 1, dtype=np.float32) / states, (inner, 1))
    writer.add_tensor("blk.0.ssm_a", decay)
    weights.norm("blk.0.ssm_d", inner)
    weights.matrix("blk.0.ssm_out.weight", WIDTH, inner)
    finish(writer)


def lora_writer(path, rank):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, 2.0 * rank)
    return writer


def write_lora(path, seed, width):
    rank = 4
    writer = lora_writer(path, rank)
    weights = Weights(writer, seed)
    for name in ("blk.0.attn_q.weight", "blk.0.attn_output.weight", "blk.1.ffn_down.weight"):
        columns = FEED_FORWARD if "ffn_down" in name else width
        weights.matrix(name + ".lora_a", rank, columns, gain=0.5)
        weights.matrix(name + ".lora_b", width, rank, gain=0.5)
    finish(writer)


def write_head_lora(path, seed):
    rank = 2
    writer = lora_writer(path, rank)
    weights = Weights(writer, seed)
    n_tokens = len(bpe_vocabulary(TokenType.CONTROL).tokens)
    weights.matrix("output.weight.lora_a", rank, WIDTH, gain=0.5)
    weights.matrix("output.weight.lora_b", n_tokens, rank, gain=0.5)
    finish(writer)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)

    def bpe(marker_type):
        return lambda writer: write_bpe(writer, bpe_vocabulary(marker_type))

    write_llama(folder / "tiny-bpe.gguf", SEED, bpe(TokenType.CONTROL), layers=2, tied=False)
    write_llama(
        folder / "tiny-bpe-userdefined.gguf",
        SEED + 1,
        bpe(TokenType.USER_DEFINED),
        layers=1,
        tied=True,
    )
    write_llama(folder / "tiny-spm.gguf", SEED + 2, write_spm, layers=1, tied=True)
    write_mamba(folder / "tiny-mamba.gguf", SEED + 3)
    write_gemma2(folder / "tiny-gemma2.gguf", SEED + 6)
    write_phi2(folder / "tiny-phi2.gguf", SEED + 7)
    write_command_r(folder / "tiny-command-r.gguf", SEED + 8)

    def relevance(writer):
        writer.add_string("rsd.prompt_layout", "blocks")
        writer.add_string("rsd.relevance", "0.5 -1")
        return write_bpe(writer, bpe_vocabulary(TokenType.CONTROL, [" yes", " no"]))

    write_llama(folder / "tiny-relevance.gguf", SEED + 11, relevance, layers=2, tied=False)
    write_qwen2vl(folder / "tiny-qwen2vl.gguf", SEED + 10)
    write_lora(folder / "tiny-lora.gguf", SEED + 4, WIDTH)
    write_lora(folder / "tiny-lora-wrong.gguf", SEED + 5, 2 * WIDTH)
    write_head_lora(folder / "tiny-lora-head.gguf", SEED + 9)


if __name__ == "__main__":
    main()
