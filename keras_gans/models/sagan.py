"""SAGAN: self-attention in both networks relates distant parts of an image.

Paper: Zhang et al., "Self-Attention Generative Adversarial Networks", 2019,
arXiv 1805.08318.

The hinge losses and the conditional networks are SNGAN's. The paper adds:
- a self-attention layer in both networks,
- spectral normalization of both networks (`keras_gans.networks.resnet`),
- two time scales: the discriminator's learning rate is four times the generator's, with
  one update of each in a step.

Differences from the paper:
- A generated image takes the label of the real image at the same place in the batch.
- Self-attention works on maps of half the image's side, as images are small. In the
  paper, the maps have 32 pixels.
- The recipe's learning rates are twice the paper's and decay to 0 along a cosine.
- Values have half of the channels, and keys and values are pooled, as in the authors'
  code.
- Samples come from a moving average of the generator's weights.
"""

from __future__ import annotations

from keras_gans.models.sngan import SNGAN


class SAGAN(SNGAN):
    """SNGAN with self-attention in both networks; see the module."""
