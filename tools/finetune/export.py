"""Writes a trained adapter as a GGUF LoRA that llama.cpp loads.

    python export.py --adapter run/adapter.safetensors --alpha 64 --name NAME --out adapter.gguf
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

TENSOR = re.compile(
    r"base_model\.model\.model\.layers\.(\d+)\.(?:self_attn|mlp)\.(\w+)\.lora_([AB])\.weight"
)
NAMES = {
    "q_proj": "attn_q",
    "k_proj": "attn_k",
    "v_proj": "attn_v",
    "o_proj": "attn_output",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}


def permute_rows(weight: np.ndarray, n_heads: int) -> np.ndarray:
    """From Hugging Face's order of a head's rows (halves) to GGUF's (pairs), for rotary embeddings."""
    rows, columns = weight.shape
    return weight.reshape(n_heads, 2, rows // n_heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def unpermute_rows(weight: np.ndarray, n_heads: int) -> np.ndarray:
    """The inverse of permute_rows."""
    rows, columns = weight.shape
    return weight.reshape(n_heads, rows // n_heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def gguf_tensors(adapter: dict[str, np.ndarray], n_heads: int, n_kv_heads: int):
    """Yields (GGUF name, float16 array). B's rows are the weight's rows: q and k are permuted there."""
    for name, tensor in sorted(adapter.items()):
        match = TENSOR.fullmatch(name)
        if not match:
            raise ValueError(f"tensor {name!r} is not a LoRA of a projection")
        layer, projection, side = match.groups()
        if side == "B" and projection in ("q_proj", "k_proj"):
            tensor = permute_rows(tensor, n_heads if projection == "q_proj" else n_kv_heads)
        yield f"blk.{layer}.{NAMES[projection]}.weight.lora_{side.lower()}", tensor.astype(np.float16)


def read(path: Path, heads: tuple[int, int]) -> dict[str, np.ndarray]:
    """An exported adapter under its Hugging Face names again, to train on from it."""
    projections = {theirs: ours for ours, theirs in NAMES.items()}
    adapter = {}
    for tensor in gguf.GGUFReader(path).tensors:
        _, layer, name, _, side = tensor.name.split(".")
        projection = projections[name]
        weight = np.array(tensor.data, np.float32)
        if side == "lora_b" and projection in ("q_proj", "k_proj"):
            weight = unpermute_rows(weight, heads[0] if projection == "q_proj" else heads[1])
        block = "self_attn" if name.startswith("attn") else "mlp"
        prefix = f"base_model.model.model.layers.{layer}.{block}.{projection}"
        adapter[f"{prefix}.lora_{side[-1].upper()}.weight"] = weight
    return adapter


def layout_of(path: Path) -> str:
    """Of the prompts that an exported adapter was trained with."""
    field = gguf.GGUFReader(path).fields.get("rsd.prompt_layout")
    return field.contents() if field else "sequence"


def write(
    adapter: dict[str, np.ndarray], out: Path, name: str, alpha: float, heads: tuple[int, int],
    layout: str = "sequence", relevance: tuple[float, float] | None = None,
) -> None:  # fmt: skip
    partial = out.with_suffix(".partial")
    writer = gguf.GGUFWriter(partial, "llama")
    writer.add_type("adapter")
    writer.add_name(name)
    writer.add_license("other")
    writer.add_license_name("for research: made from data that are licensed for research only")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    if layout != "sequence":  # what rsd takes a model for that doesn't say
        writer.add_string("rsd.prompt_layout", layout)
    if relevance:
        writer.add_string("rsd.relevance", " ".join(map(repr, relevance)))
    for tensor_name, tensor in gguf_tensors(adapter, *heads):
        writer.add_tensor(tensor_name, np.ascontiguousarray(tensor))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(partial, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--adapter", type=Path, required=True, help="safetensors, as train.py saves it")
    parser.add_argument("--alpha", type=float, default=64)
    parser.add_argument("--heads", type=int, default=9, help="attention heads of the base model")
    parser.add_argument("--kv-heads", type=int, default=3, help="its key/value heads")
    parser.add_argument("--name", default="SmolLM2-135M rank LoRA")
    parser.add_argument("--layout", choices=["sequence", "blocks"], default="sequence",
                        help="of the prompts that it was trained with; rsd takes its templates by it")
    parser.add_argument("--relevance", type=float, nargs=2, metavar=("SCALE", "BIAS"),
                        help="what makes its reading of relevance a probability, as calibrate.py finds it")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    write(
        load_file(options.adapter), options.out, options.name, options.alpha,
        (options.heads, options.kv_heads), options.layout,
        tuple(options.relevance) if options.relevance else None,
    )  # fmt: skip


if __name__ == "__main__":
    main()
