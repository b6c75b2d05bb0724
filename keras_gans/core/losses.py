"""Adversarial losses: logits in, one loss for each example out, nothing reduced.

Every function takes raw logits (no sigmoid) of any shape [batch, ...] and returns a
loss of the same shape, to be minimised. softplus(x) = log(1 + exp(x)) stays finite for
logits of any size.
"""

from __future__ import annotations

from typing import Any

from keras import losses, ops

from keras_gans import engine

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


def least_squares_real(real_logits: Tensor) -> Tensor:
    """(D(x) - 1)^2 / 2: the discriminator's term on real images, with b = 1.

    Source: Mao et al. 2017 (arXiv 1611.04076), the 0-1 coding (a = 0, b = c = 1).

    Args:
        real_logits: float [batch, ...], D(x); no sigmoid.

    Returns:
        float [batch, ...].
    """
    return 0.5 * ops.square(real_logits - 1.0)


def least_squares_fake(fake_logits: Tensor) -> Tensor:
    """D(G(z))^2 / 2: the discriminator's term on generated images, with a = 0.

    Source: Mao et al. 2017 (arXiv 1611.04076), the 0-1 coding (a = 0, b = c = 1).

    Args:
        fake_logits: float [batch, ...], D(G(z)); no sigmoid.

    Returns:
        float [batch, ...].
    """
    return 0.5 * ops.square(fake_logits)


def least_squares_generator(fake_logits: Tensor) -> Tensor:
    """(D(G(z)) - 1)^2 / 2: the generator's loss, with c = 1.

    Source: Mao et al. 2017 (arXiv 1611.04076), the 0-1 coding (a = 0, b = c = 1).

    Args:
        fake_logits: float [batch, ...], D(G(z)); no sigmoid.

    Returns:
        float [batch, ...].
    """
    return 0.5 * ops.square(fake_logits - 1.0)


def wasserstein_real(real_logits: Tensor) -> Tensor:
    """-D(x): the critic's term on real images.

    Source: Arjovsky et al. 2017 (arXiv 1701.07875), the training algorithm, whose
    critic ascends E D(x) - E D(G(z)).

    Args:
        real_logits: float [batch, ...], the critic's scores.

    Returns:
        float [batch, ...].
    """
    return -real_logits


def wasserstein_fake(fake_logits: Tensor) -> Tensor:
    """D(G(z)): the critic's term on generated images; source as `wasserstein_real`.

    Args:
        fake_logits: float [batch, ...], the critic's scores.

    Returns:
        float [batch, ...].
    """
    return fake_logits


def wasserstein_generator(fake_logits: Tensor) -> Tensor:
    """-D(G(z)): the generator's loss; source as `wasserstein_real`.

    The hinge loss's generator has the same one (Miyato et al. 2018, arXiv 1802.05957).

    Args:
        fake_logits: float [batch, ...], the critic's scores.

    Returns:
        float [batch, ...].
    """
    return -fake_logits


def hinge_real(real_logits: Tensor) -> Tensor:
    """max(0, 1 - D(x)): the discriminator's hinge term on real images.

    Source: Miyato et al. 2018 (arXiv 1802.05957), the hinge version of the loss.

    Args:
        real_logits: float [batch, ...].

    Returns:
        float [batch, ...].
    """
    return ops.relu(1.0 - real_logits)


def hinge_fake(fake_logits: Tensor) -> Tensor:
    """max(0, 1 + D(G(z))): the hinge term on generated images.

    Source: Miyato et al. 2018 (arXiv 1802.05957), the hinge version of the loss.

    Args:
        fake_logits: float [batch, ...].

    Returns:
        float [batch, ...].
    """
    return ops.relu(1.0 + fake_logits)


def relativistic_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-log sigmoid(D(x_i) - D(G(z_i))): real and fake in pairs of one index.

    Source: Jolicoeur-Martineau 2018 (arXiv 1807.00734), the relativistic standard GAN.

    Args:
        real_logits: float [batch, ...].
        fake_logits: float [batch, ...], each paired with the real one beside it.

    Returns:
        float [batch, ...].
    """
    return ops.softplus(fake_logits - real_logits)


def relativistic_generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-log sigmoid(D(G(z_i)) - D(x_i)); source as `relativistic_discriminator`.

    Args:
        real_logits: float [batch, ...].
        fake_logits: float [batch, ...], each paired with the real one beside it.

    Returns:
        float [batch, ...].
    """
    return ops.softplus(real_logits - fake_logits)


def relativistic_average(logits: Tensor, others: Tensor) -> Tensor:
    """-log D(a, b), where D(a, b) = sigmoid(C(a) - E C(b)): a is to look more real.

    Source: Wang et al. 2018 (arXiv 1809.00219), its equations 1 to 3, after
    Jolicoeur-Martineau 2018: the discriminator minimises it for (real, fake), and
    `relativistic_average_below` for (fake, real); the generator the other way round.

    Args:
        logits: C(a), float [batch, ...].
        others: C(b), float [batch, ...].

    Returns:
        float [batch, ...].
    """
    return ops.softplus(engine.global_mean(others) - logits)


def relativistic_average_below(logits: Tensor, others: Tensor) -> Tensor:
    """-log(1 - D(a, b)): a is to look less real; see `relativistic_average`.

    Args:
        logits: C(a), float [batch, ...].
        others: C(b), float [batch, ...].

    Returns:
        float [batch, ...].
    """
    return ops.softplus(logits - engine.global_mean(others))


def patch_nce(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """-log of the share that a patch's own key has among the keys of its picture.

    Source: Park et al. 2020 (arXiv 2007.15651), its equations 1 to 3, for one layer:
    l(v, v+, v-) = -log [e^(v.v+ / tau) / (e^(v.v+ / tau) + sum e^(v.v- / tau))].

    Args:
        queries: Features of patches of what was made, of length 1, float [batch,
            patches, n].
        keys: Those of the same patches of the condition; no gradient flows into them.
        temperature: tau.

    Returns:
        float [batch, patches].
    """
    keys = ops.transpose(ops.stop_gradient(keys), (0, 2, 1))
    scores = ops.matmul(queries, keys) / temperature  # [batch, query, key]
    own = ops.diagonal(scores, axis1=1, axis2=2)
    return ops.logsumexp(scores, axis=2) - own


def feature_matching(real: Tensor, fake: Tensor) -> Tensor:
    """|real - fake|, of maps inside the discriminator; real ones get no gradient.

    Source: Wang et al. 2018, "pix2pixHD" (arXiv 1711.11585), its equation 4, as used
    by Park et al. 2019 (arXiv 1903.07291).

    Args:
        real: Maps of a real picture, float [batch, ...].
        fake: Those of a generated one.

    Returns:
        float [batch], the mean over a picture's values.
    """
    apart = ops.abs(ops.stop_gradient(real) - fake)
    return ops.mean(apart, axis=tuple(range(1, len(real.shape))))


def class_loss(labels: Tensor, class_logits: Tensor) -> Tensor:
    """-log P(C = c | x): of a head that says which class, or code, it sees.

    Source: Odena et al. 2017 (arXiv 1610.09585), -L_C; Chen et al. 2016 (arXiv
    1606.03657), -L_I of a categorical code without its entropy.

    Args:
        labels: c, int32 [batch].
        class_logits: float [batch, classes], before the softmax.

    Returns:
        float [batch].
    """
    return losses.sparse_categorical_crossentropy(
        labels, class_logits, from_logits=True
    )
