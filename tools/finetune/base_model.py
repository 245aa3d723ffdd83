"""The base model: a GGUF file as a Hugging Face model, with a LoRA adapter on it."""

from __future__ import annotations

from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, GgufConfig, PreTrainedModel

import block_attention
from prompt import Prompt, share

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def load_base(gguf: Path, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Dequantises the weights; transformers undoes the row permutation of q and k."""
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=dtype,
        attn_implementation=block_attention.NAME,
    )
    model.config.use_cache = False
    return model


def add_adapter(model: PreTrainedModel, rank: int, alpha: int) -> PeftModel:
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=PROJECTIONS, task_type="CAUSAL_LM")
    return get_peft_model(model, config)


def identifier_logits(model: PeftModel, prompt: Prompt, answer: list[int]) -> torch.Tensor:
    """[len(answer) + 1, K]: row j is the logits of all identifiers after prompt + answer[:j]."""
    rows = hidden_states(model, prompt, answer)[len(prompt.tokens) - 1 :]
    return head_logits(model, rows, prompt.identifiers)


def hidden_states(model: PeftModel, prompt: Prompt, answer: list[int]) -> torch.Tensor:
    """[n, width]: the last layer's output for each token of prompt and answer."""
    return shared_hidden_states(model, [prompt], [answer])[0]


def shared_hidden_states(
    model: PeftModel, prompts: list[Prompt], answers: list[list[int]]
) -> list[torch.Tensor]:
    """By prompt what hidden_states() gives: of one prompt, or of several in blocks from one encoding of
    the candidates that all of them have."""
    base = model.get_base_model()
    if not prompts[0].blocks:  # each token sees all before it, which takes no mask
        [prompt], [answer] = prompts, answers
        tokens = torch.tensor([prompt.tokens + answer], device=model.device)
        return [base.model(input_ids=tokens, use_cache=False).last_hidden_state[0]]
    shared = share(prompts, answers)
    hidden = base.model(
        input_ids=torch.tensor([shared.tokens], device=model.device),
        position_ids=torch.tensor([shared.positions], device=model.device),
        use_cache=False,
        seen=block_attention.seen_blocks(shared, model.device),
    ).last_hidden_state[0]
    return [hidden[torch.from_numpy(rows).to(model.device)] for rows in shared.rows]


def head_logits(model: PeftModel, hidden: torch.Tensor, tokens: list[int]) -> torch.Tensor:
    """[n, len(tokens)]: only these rows of the output head are multiplied. With the whole vocabulary
    it would take a quarter of the time of a training step."""
    head = model.get_base_model().lm_head.weight[torch.tensor(tokens, device=model.device)]
    with torch.autocast(model.device.type, enabled=False):  # it would round the logits to 8 bits
        return hidden.float() @ head.float().T
