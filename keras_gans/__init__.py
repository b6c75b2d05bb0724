"""keras_gans: a GAN model zoo for TensorFlow and Keras 3.

Public names are imported at their first use, so that `import keras_gans` imports
neither TensorFlow nor Keras.
"""

import importlib
import sys

# `python -m keras_gans.<command>` puts the current folder on the path. A file there,
# such as the numpy.py of a run from elsewhere, must not replace an installed module.
# Only modules that Python has loaded already may be imported above.
_IS_COMMAND = sys.argv[:1] == ["-m"] and any(
    f"{word.removeprefix('-m')}.".startswith("keras_gans.") for word in sys.orig_argv
)
if _IS_COMMAND and not sys.flags.safe_path:
    del sys.path[0]

import signal  # noqa: E402

# Ctrl-C ends a command that still imports its modules, without a traceback.
_IS_COMMAND |= bool(sys.argv) and sys.argv[0].endswith("keras-gans")
if _IS_COMMAND and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from keras_gans.backend import register_classes  # noqa: E402

__version__ = "0.2.0"

_PUBLIC = {
    "ACGAN": "keras_gans.models.acgan",
    "BaseGAN": "keras_gans.core.gan",
    "BigGAN": "keras_gans.models.biggan",
    "CGAN": "keras_gans.models.cgan",
    "CUT": "keras_gans.models.cut",
    "CycleGAN": "keras_gans.models.cyclegan",
    "DCGAN": "keras_gans.models.dcgan",
    "DRAGAN": "keras_gans.models.dragan",
    "ESRGAN": "keras_gans.models.esrgan",
    "FastGAN": "keras_gans.models.fastgan",
    "GAN": "keras_gans.models.gan",
    "Hparams": "keras_gans.core.hparams",
    "InfoGAN": "keras_gans.models.infogan",
    "LSGAN": "keras_gans.models.lsgan",
    "Player": "keras_gans.core.trainer",
    "Pix2Pix": "keras_gans.models.pix2pix",
    "R3GAN": "keras_gans.models.r3gan",
    "RSGAN": "keras_gans.models.rsgan",
    "SAGAN": "keras_gans.models.sagan",
    "SNGAN": "keras_gans.models.sngan",
    "SPADE": "keras_gans.models.spade",
    "StyleGAN2": "keras_gans.models.stylegan2",
    "Trainer": "keras_gans.core.trainer",
    "UserError": "keras_gans.errors",
    "WGAN": "keras_gans.models.wgan",
    "WGANGP": "keras_gans.models.wgan_gp",
    "check_pictures": "keras_gans.core.checks",
    "export_model": "keras_gans.interactive.recipe_gan",
    "from_recipe": "keras_gans.interactive.recipe_gan",
    "list_models": "keras_gans.recipes.catalog",
    "load": "keras_gans.sampling.load",
    "load_config": "keras_gans.recipes.config",
    "load_data": "keras_gans.data",
    "measure": "keras_gans.interactive.recipe_gan",
    "network": "keras_gans.networks.saving",
    "show": "keras_gans.interactive.show",
}

__all__ = ["__version__", *sorted(_PUBLIC)]

register_classes()


def __getattr__(name: str) -> object:
    """Import a public name at its first use."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'keras_gans' has no attribute '{name}'")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
