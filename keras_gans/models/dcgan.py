"""DCGAN: strided convolutions and batch normalization stabilize GAN training on images.

Paper: Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep
Convolutional Generative Adversarial Networks", 2015, arXiv 1511.06434.

The losses are those of the original GAN with the non-saturating generator loss. The
paper contributes the networks (`keras_gans.networks.dcgan`) and their settings
(`zoo_configs/dcgan*.toml`).

Differences from the paper:
- Latents are normal by default. With `hparams.latents = "uniform"` they are the
  paper's.
- Samples come from a moving average of the generator's weights.
"""

from __future__ import annotations

from keras_gans.models.gan import GAN


class DCGAN(GAN):
    """Original GAN with convolutional networks; see the module."""
