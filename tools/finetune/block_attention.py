"""Attention over prompts in blocks that computes only what is seen.

A dense mask over a thousand tokens hides nineteen of twenty pairs, and their products would take half of a training
step. Here the blocks of one kind are a batch: each block's queries against the keys that it sees, padded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from prompt import SharedPrompt

NAME = "seen_blocks"  # as an attn_implementation


@dataclass(frozen=True)
class Group:
    """Blocks of one kind, b of them with at most m tokens, which see at most n tokens."""

    rows: torch.Tensor  # [b, m] places among the prompt's tokens, padded with 0
    real: torch.Tensor  # [b, m] booleans: no padding
    keys: torch.Tensor  # [b, n] places of what is seen, padded with 0
    hidden: torch.Tensor  # [b, 1, m, n] booleans: not seen


@dataclass(frozen=True)
class SeenBlocks:
    groups: list[Group]
    order: torch.Tensor  # [n_tokens] where each token's row is among the groups' real rows

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """query [n_tokens, n_heads, d], key and value [n_tokens, n_kv_heads, d]; the result is like query."""
        outputs = [self._of_group(group, query, key, value, scale) for group in self.groups]
        return torch.cat(outputs)[self.order]

    @staticmethod
    def _of_group(
        group: Group, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
    ) -> torch.Tensor:
        (b, m), n_kv_heads, d = group.rows.shape, key.shape[1], query.shape[2]
        # The heads that share a key are further rows of it.
        q = gathered(query, group.rows).view(b, m, n_kv_heads, -1, d).permute(0, 2, 3, 1, 4)
        n_sharing = q.shape[2]
        q = q.reshape(b, n_kv_heads, n_sharing * m, d)
        k, v = (gathered(each, group.keys).transpose(1, 2) for each in (key, value))
        # On a CPU the fused kernel would take four times as long for so few rows in 16 bits.
        scores = (scale * (q @ k.transpose(-1, -2))).float()
        scores = scores.masked_fill(group.hidden.repeat(1, 1, n_sharing, 1), -torch.inf)
        out = torch.softmax(scores, -1).to(v.dtype) @ v
        out = out.view(b, n_kv_heads, n_sharing, m, d).permute(0, 3, 1, 2, 4).reshape(b, m, -1, d)
        return out[group.real]


def gathered(values: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """values[places], with a gradient that takes a fifth of the time on a CPU."""
    return values.index_select(0, places.flatten()).view(*places.shape, *values.shape[1:])


def seen_blocks(shared: SharedPrompt, device: torch.device) -> SeenBlocks:
    groups, places = [], []
    for kind in dict.fromkeys(kind for kind, _ in shared.blocks):
        rows = [own for of_kind, own in shared.blocks if of_kind == kind]
        keys = [np.flatnonzero(shared.visible[own[-1]]) for own in rows]  # the last token sees the most
        groups.append(group_of(rows, keys, shared.visible, device))
        places += rows
    order = np.argsort(np.concatenate(places))
    return SeenBlocks(groups, torch.from_numpy(order).to(device))


def group_of(
    rows: list[np.ndarray], keys: list[np.ndarray], visible: np.ndarray, device: torch.device
) -> Group:
    row_places, real = padded(rows)
    key_places, seen = padded(keys)
    mask = visible[row_places[:, :, None], key_places[:, None, :]] & seen[:, None, :]
    mask[~real] = True  # a row that sees nothing would be no number
    arrays = (row_places, real, key_places, ~mask[:, None])
    return Group(*(torch.from_numpy(each).to(device) for each in arrays))


def padded(places: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """[b, longest] places, 0 beyond each one's own, and whether they are its own."""
    longest = max(len(each) for each in places)
    real = np.arange(longest) < np.array([len(each) for each in places])[:, None]
    filled = np.zeros(real.shape, np.int64)
    filled[real] = np.concatenate(places)
    return filled, real


def attention(
    module, query, key, value, attention_mask, scaling=None, seen: SeenBlocks | None = None, **_
) -> tuple[torch.Tensor, None]:
    """As transformers calls it: query [1, n_heads, n_tokens, d]. Without `seen` each token sees all before it."""
    if seen is None:
        out = scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scaling, enable_gqa=True
        )
        return out.transpose(1, 2), None
    q, k, v = (each[0].transpose(0, 1) for each in (query, key, value))
    return seen.attend(q, k, v, scaling)[None], None


AttentionInterface.register(NAME, attention)
