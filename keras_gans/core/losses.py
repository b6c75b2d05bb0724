"""Adversarial losses: from logits to one loss for each example, not reduced.

Every adversarial loss takes raw logits (no sigmoid) of any shape [batch, ...] and
returns a loss of the same shape, to be minimized. softplus(x) = log(1 + exp(x)) stays
finite for logits of any size.
"""

from __future__ import annotations

from typing import Any

from keras import losses, ops

from keras_gans import engine

Tensor = Any


def log_loss_real(real_logits: Tensor) -> Tensor:
    """Compute -log D(x), the discriminator's term on real images.

    Source: Goodfellow et al. 2014 (arXiv 1406.2661), the value function V(D, G).

    Args:
        real_logits: float [batch, ...], D(x) before the sigmoid.

    Returns:
        float [batch, ...], softplus(-logit).
    """
    return ops.softplus(-real_logits)


def log_loss_fake(fake_logits: Tensor) -> Tensor:
    """Compute -log(1 - D(G(z))), the discriminator's term on generated images.

    Source: Goodfellow et al. 2014 (arXiv 1406.2661), the value function V(D, G).

    Args:
        fake_logits: float [batch, ...], D(G(z)) before the sigmoid.

    Returns:
        float [batch, ...], softplus(logit).
    """
    return ops.softplus(fake_logits)


def minimax_generator(fake_logits: Tensor) -> Tensor:
    """Compute log(1 - D(G(z))), the generator's loss in the minimax game.

    Source: Goodfellow et al. 2014 (arXiv 1406.2661), the value function V(D, G) and the
    training algorithm. The gradient vanishes where D recognizes the fakes.

    Args:
        fake_logits: float [batch, ...], D(G(z)) before the sigmoid.

    Returns:
        float [batch, ...], -softplus(logit); at most 0.
    """
    return -ops.softplus(fake_logits)


def non_saturating_generator(fake_logits: Tensor) -> Tensor:
    """Compute -log D(G(z)), the generator's loss that the 2014 paper uses in practice.

    Source: Goodfellow et al. 2014 (arXiv 1406.2661), section 3.

    Args:
        fake_logits: float [batch, ...], D(G(z)) before the sigmoid.

    Returns:
        float [batch, ...], softplus(-logit).
    """
    return ops.softplus(-fake_logits)


def least_squares_real(real_logits: Tensor) -> Tensor:
    """Compute (D(x) - 1)^2 / 2, the discriminator's term on real images, with b = 1.

    Source: Mao et al. 2017 (arXiv 1611.04076), the 0-1 coding (a = 0, b = c = 1).

    Args:
        real_logits: float [batch, ...], D(x); no sigmoid.

    Returns:
        float [batch, ...].
    """
    return 0.5 * ops.square(real_logits - 1.0)


def least_squares_fake(fake_logits: Tensor) -> Tensor:
    """Compute D(G(z))^2 / 2, the discriminator's term on generated images, with a = 0.

    Source: Mao et al. 2017 (arXiv 1611.04076), the 0-1 coding (a = 0, b = c = 1).

    Args:
        fake_logits: float [batch, ...], D(G(z)); no sigmoid.

    Returns:
        float [batch, ...].
    """
    return 0.5 * ops.square(fake_logits)


def least_squares_generator(fake_logits: Tensor) -> Tensor:
    """Compute (D(G(z)) - 1)^2 / 2, the generator's loss, with c = 1.

    Source: Mao et al. 2017 (arXiv 1611.04076), the 0-1 coding (a = 0, b = c = 1).

    Args:
        fake_logits: float [batch, ...], D(G(z)); no sigmoid.

    Returns:
        float [batch, ...].
    """
    return 0.5 * ops.square(fake_logits - 1.0)


def wasserstein_real(real_logits: Tensor) -> Tensor:
    """Compute -D(x), the critic's term on real images.

    Source: Arjovsky et al. 2017 (arXiv 1701.07875), the training algorithm, whose
    critic ascends E D(x) - E D(G(z)).

    Args:
        real_logits: float [batch, ...], the critic's scores.

    Returns:
        float [batch, ...].
    """
    return -real_logits


def wasserstein_fake(fake_logits: Tensor) -> Tensor:
    """Compute D(G(z)), the critic's term on generated images.

    Source: as for `wasserstein_real`.

    Args:
        fake_logits: float [batch, ...], the critic's scores.

    Returns:
        float [batch, ...].
    """
    return fake_logits


def wasserstein_generator(fake_logits: Tensor) -> Tensor:
    """Compute -D(G(z)), the generator's loss.

    Source: as for `wasserstein_real`. The generator's loss beside the hinge loss is the
    same (Miyato et al. 2018, arXiv 1802.05957).

    Args:
        fake_logits: float [batch, ...], the critic's scores.

    Returns:
        float [batch, ...].
    """
    return -fake_logits


def hinge_real(real_logits: Tensor) -> Tensor:
    """Compute max(0, 1 - D(x)), the discriminator's hinge term on real images.

    Source: Miyato et al. 2018 (arXiv 1802.05957), the hinge version of the loss.

    Args:
        real_logits: float [batch, ...].

    Returns:
        float [batch, ...].
    """
    return ops.relu(1.0 - real_logits)


def hinge_fake(fake_logits: Tensor) -> Tensor:
    """Compute max(0, 1 + D(G(z))), the discriminator's hinge term on generated images.

    Source: Miyato et al. 2018 (arXiv 1802.05957), the hinge version of the loss.

    Args:
        fake_logits: float [batch, ...].

    Returns:
        float [batch, ...].
    """
    return ops.relu(1.0 + fake_logits)


def relativistic_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Compute -log sigmoid(D(x_i) - D(G(z_i))), the discriminator's loss on pairs.

    Source: Jolicoeur-Martineau 2018 (arXiv 1807.00734), the relativistic standard GAN.

    Args:
        real_logits: float [batch, ...].
        fake_logits: float [batch, ...], each paired with the real logit of its index.

    Returns:
        float [batch, ...].
    """
    return ops.softplus(fake_logits - real_logits)


def relativistic_generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Compute -log sigmoid(D(G(z_i)) - D(x_i)), the generator's loss on pairs.

    Source: as for `relativistic_discriminator`.

    Args:
        real_logits: float [batch, ...].
        fake_logits: float [batch, ...], each paired with the real logit of its index.

    Returns:
        float [batch, ...].
    """
    return ops.softplus(real_logits - fake_logits)


def relativistic_average(logits: Tensor, others: Tensor) -> Tensor:
    """Compute -log D(a, b), where D(a, b) = sigmoid(C(a) - E C(b)).

    The loss falls as a looks more real than the average b.

    Source: Wang et al. 2018 (arXiv 1809.00219), its equations 1 to 3, after
    Jolicoeur-Martineau 2018. The discriminator minimizes it for (real, fake), and
    `relativistic_average_below` for (fake, real). The generator minimizes it for (fake,
    real), and `relativistic_average_below` for (real, fake).

    Args:
        logits: C(a), float [batch, ...].
        others: C(b), float [batch, ...].

    Returns:
        float [batch, ...].
    """
    return ops.softplus(engine.global_mean(others) - logits)


def relativistic_average_below(logits: Tensor, others: Tensor) -> Tensor:
    """Compute -log(1 - D(a, b)), with D(a, b) as in `relativistic_average`.

    The loss falls as a looks less real than the average b.

    Args:
        logits: C(a), float [batch, ...].
        others: C(b), float [batch, ...].

    Returns:
        float [batch, ...].
    """
    return ops.softplus(logits - engine.global_mean(others))


def patch_nce(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """Compute the contrastive loss of each patch against the patches of its image.

    Source: Park et al. 2020 (arXiv 2007.15651), its equations 1 to 3, for one layer:
    l(v, v+, v-) = -log [e^(v.v+ / tau) / (e^(v.v+ / tau) + sum e^(v.v- / tau))].

    Args:
        queries: Features v of patches of the generated image, of length 1, float
            [batch, patches, n].
        keys: Features v+ and v- of the same patches of the condition image; no gradient
            flows into them.
        temperature: Temperature tau.

    Returns:
        float [batch, patches].
    """
    keys = ops.transpose(ops.stop_gradient(keys), (0, 2, 1))
    scores = ops.matmul(queries, keys) / temperature  # [batch, query, key]
    own = ops.diagonal(scores, axis1=1, axis2=2)
    return ops.logsumexp(scores, axis=2) - own


def feature_matching(real: Tensor, fake: Tensor) -> Tensor:
    """Compute the mean |real - fake| of feature maps of the discriminator.

    Source: Wang et al. 2018, "pix2pixHD" (arXiv 1711.11585), its equation 4, as used by
    Park et al. 2019 (arXiv 1903.07291).

    Args:
        real: Maps of real images, float [batch, ...]; no gradient flows into them.
        fake: Maps of generated images, float [batch, ...].

    Returns:
        float [batch], the mean over all values of an image's maps.
    """
    apart = ops.abs(ops.stop_gradient(real) - fake)
    return ops.mean(apart, axis=tuple(range(1, len(real.shape))))


def class_loss(labels: Tensor, class_logits: Tensor) -> Tensor:
    """Compute -log P(C = c | x) of a head that predicts an image's class or code.

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
