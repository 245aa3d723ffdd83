"""A GGUF's weights, in float32, and its tokenizer as a folder that Hugging Face's libraries read.

usage: hugging_face_folder.py MODEL.gguf FOLDER    (the folder appears when it is complete)

Needs torch, transformers and gguf.
"""

import pathlib
import shutil
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig


def main(gguf, folder):
    gguf, folder = pathlib.Path(gguf).resolve(), pathlib.Path(folder)
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32,
        quantization_config=GgufConfig(dequantize=True))
    model.save_pretrained(unfinished)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(unfinished)
    unfinished.rename(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
