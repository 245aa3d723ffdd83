"""The training objective: listwise over all positions, pairwise on the first (FIRST's joint loss)."""

from __future__ import annotations

import torch


def listwise_loss(
    logits: torch.Tensor, teacher: torch.Tensor, order: list[int], temperature: float
) -> torch.Tensor:
    """Cross-entropy at each position between teacher and LLM, over the candidates not yet placed.

    logits [K-1, K]: row j follows the identifiers order[:j]. teacher [K]: standardised scores. The
    teacher's choice among the remaining items is softmax(teacher / temperature), so near-ties have
    small gradients. Early positions weigh more, as in DCG. The teacher's own entropy is subtracted,
    and the result is divided by ln(number of remaining items): 0 = the teacher's choices, about 1 =
    uniform ones.
    """
    n_rows, n_items = logits.shape
    placed = torch.zeros(n_rows, n_items, dtype=torch.bool, device=logits.device)
    for row in range(1, n_rows):
        placed[row] = placed[row - 1]
        placed[row, order[row - 1]] = True
    masked = logits.masked_fill(placed, -torch.inf)
    choice = torch.softmax((teacher / temperature).expand(n_rows, -1).masked_fill(placed, -torch.inf), -1)
    log_ratio = torch.log(choice.clamp_min(1e-12)) - torch.log_softmax(masked, -1)
    divergence = torch.where(placed, 0.0, choice * log_ratio).sum(-1)
    left = torch.arange(n_items, n_items - n_rows, -1, dtype=logits.dtype, device=logits.device)
    weights = 1 / torch.log2(torch.arange(n_rows, dtype=logits.dtype, device=logits.device) + 2)
    return (weights * divergence / torch.log(left)).sum() / weights.sum()


def first_position_loss(logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Pairwise logistic loss on the first position's logits [K], so that one encoding ranks well.

    A pair weighs by how high it stands (FIRST, eq. 3: 1 / (rank of i + rank of j)) and by how far
    apart the teacher sees it, up to one standard deviation.
    """
    rank = torch.argsort(torch.argsort(teacher, descending=True)).to(logits.dtype) + 1
    gap = (teacher[:, None] - teacher[None, :]).clamp(0, 1)
    weights = gap / (rank[:, None] + rank[None, :])
    losses = torch.nn.functional.softplus(logits[None, :] - logits[:, None])
    return (weights * losses).sum() / weights.sum().clamp_min(1e-6)


def relevance_loss(logits: torch.Tensor, labels: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Each candidate by itself: how relevant it is, and which of two is more so.

    logits [K]: of "yes" less those of "no", where a candidate's text and the query have been read.
    labels [K]: 1 relevant, 0 not, NaN unknown; these get the cross-entropy. All get the pairwise loss against
    the teacher, which says more than a judgement does.
    """
    known = ~torch.isnan(labels)
    loss = first_position_loss(logits, teacher)
    if known.any():
        loss = loss + torch.nn.functional.binary_cross_entropy_with_logits(logits[known], labels[known])
    return loss
