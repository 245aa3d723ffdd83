"""Proves an exported adapter: llama.cpp's logits with it equal PyTorch's with it merged in.

    python check_export.py --base base.gguf --adapter run/adapter.safetensors --gguf adapter.gguf \
        --requests requests.jsonl --rsd build/release/rsd

Both sides run on float32 weights (quantised kernels quantise activations, too). All K x K logits of
a real ranking are compared, and the exit status is 1 when they differ by more than rounding.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np
import torch
from peft import set_peft_model_state_dict
from safetensors.torch import load_file

import export
from base_model import add_adapter, identifier_logits, load_base
from prompt import TEMPLATES, PromptBuilder
from tokenizer import load_tokenizer

TOLERANCE = 0.01  # as a share of the logits' range: the engine keeps keys and values as float16


def write_f32(source: Path, target: Path) -> None:
    """The same model with float32 weights."""
    reader = gguf.GGUFReader(source)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(target, architecture)
    own = ("GGUF.", "general.architecture", "general.file_type")
    for name, field in reader.fields.items():
        if not name.startswith(own):
            element = field.types[1] if len(field.types) > 1 else None
            writer.add_key_value(name, field.contents(), field.types[0], element)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for tensor in reader.tensors:
        weights = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        writer.add_tensor(tensor.name, np.ascontiguousarray(weights))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def engine_rounds(options: argparse.Namespace, folder: Path) -> list[dict]:
    """One verified ranking of each request, with its logits, by the engine."""
    model, trace = folder / "f32.gguf", folder / "trace.jsonl"
    write_f32(options.base, model)
    command = [options.rsd, "rank", "--requests", options.requests, "--model", model]
    command += ["--lora", options.gguf, "--decoder", "rsd", "--budget", "1", "--draft", "input"]
    if export.layout_of(options.gguf) == "blocks":
        for template in sorted(TEMPLATES.glob("blocks-*.yaml")):
            command += ["--prompt-template", template]
    subprocess.run([*command, "--trace", trace], check=True, stdout=subprocess.DEVNULL)
    return [json.loads(line) for line in trace.read_text().splitlines()[1:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--base", type=Path, required=True, help="GGUF base model")
    parser.add_argument("--adapter", type=Path, required=True, help="safetensors, as train.py saves it")
    parser.add_argument("--alpha", type=int, default=64)
    parser.add_argument("--gguf", type=Path, required=True, help="the same adapter, exported")
    parser.add_argument("--requests", type=Path, required=True)
    parser.add_argument("--rsd", type=Path, required=True, help="the engine's binary")
    options = parser.parse_args()

    adapter = {name: tensor.float() for name, tensor in load_file(options.adapter).items()}
    rank = next(t.shape[0] for name, t in adapter.items() if name.endswith("lora_A.weight"))
    model = add_adapter(load_base(options.base), rank, options.alpha)
    set_peft_model_state_dict(model, adapter)
    model.merge_adapter()
    model.eval()
    builder = PromptBuilder(load_tokenizer(options.base), layout=export.layout_of(options.gguf))
    requests = [json.loads(line) for line in options.requests.read_text().splitlines()]
    largest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        rounds = engine_rounds(options, Path(folder))
    for request, traced in zip(requests, rounds, strict=True):
        request.setdefault("task", traced["task"])
        prompt = builder.build(request)
        proposal = traced["rounds"][0]["proposal"]
        theirs = torch.tensor(traced["rounds"][0]["logits"])
        answer = [prompt.identifiers[i] for i in proposal[: len(theirs) - 1]]
        with torch.inference_mode():
            ours = identifier_logits(model, prompt, answer)
        difference = (ours - theirs).abs().max().item()
        span = (ours.max() - ours.min()).item()
        largest = max(largest, difference / span)
        print(f"{request['id']}: K = {len(prompt.identifiers)}, {len(prompt.tokens)} tokens, "
              f"logits span {span:.2f}, largest difference {difference:.5f}")  # fmt: skip
    print(f"largest share {largest:.5f} of the span over {len(requests)} requests; limit {TOLERANCE}")
    sys.exit(largest > TOLERANCE)


if __name__ == "__main__":
    main()
