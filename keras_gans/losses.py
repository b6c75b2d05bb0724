"""Adversarial losses: logits in, one loss for each example out, nothing reduced.

Every function takes raw logits (no sigmoid) of any shape [batch, ...] and returns a
loss of the same shape, to be minimised. softplus(x) = log(1 + exp(x)) stays finite for
logits of any size.
"""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any


def log_loss_real(real_logits: Tensor) -> Tensor:
    """-log D(x): the discriminator's term on real images.

    Source: Goodfellow et al. 2014 (arXiv 1406.2661), the value function V(D, G).

    Args:
        real_logits: float [batch, ...], D(x) before the sigmoid.

    Returns:
        float [batch, ...], softplus(-logit).
    """
    return ops.softplus(-real_logits)


def log_loss_fake(fake_logits: Tensor) -> Tensor:
    """-log(1 - D(G(z))): the discriminator's term on generated images.

    Source: Goodfellow et al. 2014 (arXiv 1406.2661), the value function V(D, G).

    Args:
        fake_logits: float [batch, ...], D(G(z)) before the sigmoid.

    Returns:
        float [batch, ...], softplus(logit).
    """
    return ops.softplus(fake_logits)


def minimax_generator(fake_logits: Tensor) -> Tensor:
    """log(1 - D(G(z))): the generator's side of the minimax game.

    Source: Goodfellow et al. 2014 (arXiv 1406.2661), the value function V(D, G) and
    the training algorithm. Its gradient vanishes where D wins.

    Args:
        fake_logits: float [batch, ...], D(G(z)) before the sigmoid.

    Returns:
        float [batch, ...], -softplus(logit); at most 0.
    """
    return -ops.softplus(fake_logits)


def non_saturating_generator(fake_logits: Tensor) -> Tensor:
    """-log D(G(z)): what the 2014 paper trains the generator with in practice.

    Source: Goodfellow et al. 2014 (arXiv 1406.2661), section 3.

    Args:
        fake_logits: float [batch, ...], D(G(z)) before the sigmoid.

    Returns:
        float [batch, ...], softplus(-logit).
    """
    return ops.softplus(-fake_logits)
