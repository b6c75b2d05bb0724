"""Advice at the start of a run that its recipe does not follow yet."""

from __future__ import annotations

from keras_gans.data.options import DataInfo
from keras_gans.recipes import config as config_lib
from keras_gans.recipes.config import Config

FEW = 500  # images, below which a discriminator memorizes them
FASTGAN = 100, 1000  # numbers of images that fastgan is made for


def on_few_images(config: Config, info: DataInfo) -> tuple[str, ...]:
    """Return a note on a small number of images; () for many.

    Translation needs fewer images than generation from noise, and gets no note.

    Args:
        config: Recipe of the run.
        info: Description of the data set.
    """
    number, height = info.num_examples, info.image_shape[0]
    if info.condition_shape or not number or height == 1:
        return ()
    variant = config_lib.find_class(config.name, config.model)
    fastgan = variant.__name__ == "FastGAN"
    if fastgan and FASTGAN[0] <= number <= FASTGAN[1]:
        return (f"{number:,} images, a number that {config.name} is made for",)
    if number >= FEW:
        return ()
    steps = []
    if not (fastgan or variant.label_names(config.hparams, info.class_names)):
        steps.append("--model=fastgan")
    if not getattr(config.hparams, "augment", None):
        steps.append("hparams.augment=color,translation,cutout")
    if not config.data.horizontal_flip:
        steps.append("data.horizontal_flip=true")
    if not config.train.init_from:
        steps.append("--init_from")
    use = f"; try {', '.join(steps)}" if steps else ""
    return (f"{number} images are few, and the discriminator may memorize them{use}",)
