"""The base model: a GGUF file as a Hugging Face model, with a LoRA adapter on it."""

from __future__ import annotations

from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, GgufConfig, PreTrainedModel

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def load_base(gguf: Path, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Dequantises the weights; transformers undoes the row permutation of q and k."""
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=dtype,
        attn_implementation="sdpa",
    )
    model.config.use_cache = False
    return model


def add_adapter(model: PreTrainedModel, rank: int, alpha: int) -> PeftModel:
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=PROJECTIONS, task_type="CAUSAL_LM")
    return get_peft_model(model, config)


def identifier_logits(
    model: PeftModel, prompt: list[int], answer: list[int], identifiers: list[int]
) -> torch.Tensor:
    """[len(answer) + 1, K]: row j is the logits of all identifiers after prompt + answer[:j].

    Multiplies only these rows of the output head: with the whole vocabulary it would take a
    quarter of the time of a training step.
    """
    tokens = torch.tensor([prompt + answer], device=model.device)
    hidden = model.get_base_model().model(input_ids=tokens, use_cache=False).last_hidden_state
    rows = hidden[0, len(prompt) - 1 :]
    head = model.get_base_model().lm_head.weight[torch.tensor(identifiers, device=model.device)]
    with torch.autocast(model.device.type, enabled=False):  # it would round the logits to 8 bits
        return rows.float() @ head.float().T
