"""keras_gans: GANs for TensorFlow and Keras 3, from pictures to a phone.

The public names below are imported when they are first used, so that importing the
package loads neither TensorFlow nor Keras.
"""

import importlib

__version__ = "0.2.0"

_PUBLIC = {
    "BaseGAN": "keras_gans.core.gan",
    "CGAN": "keras_gans.models.cgan",
    "CUT": "keras_gans.models.cut",
    "CycleGAN": "keras_gans.models.cyclegan",
    "DCGAN": "keras_gans.models.dcgan",
    "ESRGAN": "keras_gans.models.esrgan",
    "GAN": "keras_gans.models.gan",
    "Hparams": "keras_gans.core.hparams",
    "Player": "keras_gans.core.trainer",
    "Pix2Pix": "keras_gans.models.pix2pix",
    "R3GAN": "keras_gans.models.r3gan",
    "SPADE": "keras_gans.models.spade",
    "StyleGAN2": "keras_gans.models.stylegan2",
    "Trainer": "keras_gans.core.trainer",
    "UserError": "keras_gans.errors",
    "check_pictures": "keras_gans.data.checks",
    "load": "keras_gans.sampling.load",
    "load_config": "keras_gans.recipes.config",
    "load_data": "keras_gans.data",
}

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> object:
    """Imports a public name on first use."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'keras_gans' has no attribute '{name}'")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
