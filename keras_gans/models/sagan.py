"""SAGAN: attention lets each place of a picture be drawn with all others in view.

Paper: Zhang et al., "Self-Attention Generative Adversarial Networks", 2019,
arXiv 1805.08318. The hinge loss and the conditional networks are SNGAN's; the paper's
matter is a self-attention layer in both networks, spectral normalisation in both
(`keras_gans.networks.resnet`), and two time scales: the discriminator learns four times
as fast as the generator, one update each.

Differences from the paper:
- A fake keeps the class of the real example beside it.
- Attention stands at half the size of small pictures, not at 32 pixels.
- The recipe's rates are twice the paper's and fall to 0 (cosine).
- Values have half of the channels, and keys and values are pooled (the authors' code).
- Samples come from an average of the generator over the steps.
"""

from __future__ import annotations

from keras_gans.models.sngan import SNGAN


class SAGAN(SNGAN):
    """The hinge game, played by networks with attention; see the module."""
