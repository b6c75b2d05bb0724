"""DCGAN: strided convolutions and batch normalisation make GANs train on pictures.

Paper: Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep
Convolutional Generative Adversarial Networks", 2015, arXiv 1511.06434. The loss is the
original GAN's with the non-saturating generator; the paper's matter is the networks
(`keras_gans.networks.dcgan`) and their settings (`zoo_configs/dcgan*.toml`).

Differences from the paper:
- Samples come from an average of the generator over the steps.
- Latents are normal unless the recipe says uniform.
"""

from __future__ import annotations

from keras_gans.models.gan import GAN


class DCGAN(GAN):
    """The original GAN's game, played by convolutional networks; see the module."""
