"""Data sets by the names that people type."""

from __future__ import annotations

import os

from keras_gans.errors import plain_word

# Data sets by other names of them.
OTHER_NAMES = {
    "mnist": ("digits", "tfds:mnist"),
    "fashion_mnist": ("fashion", "tfds:fashion_mnist"),
    "fmnist": ("fashion", "tfds:fashion_mnist"),
    "cifar": ("tfds:cifar10",),
    "celeba": ("tfds:celeb_a",),
    "celeba_hq": ("tfds:celeb_a_hq/256",),
    "imagenet": ("tfds:imagenet2012",),
    "svhn": ("tfds:svhn_cropped",),
    "flowers": ("tfds:tf_flowers", "tfds:oxford_flowers102"),
    "lsun": ("tfds:lsun/bedroom",),
    "horse2zebra": ("tfds:cycle_gan/horse2zebra",),
    "monet2photo": ("tfds:cycle_gan/monet2photo",),
    "8gaussians": ("ring",),
    "25gaussians": ("grid25",),
    **{
        name: (f"tfds:{name}",)
        for name in (
            *("beans", "cats_vs_dogs", "celeb_a", "cifar10", "cifar100", "cycle_gan"),
            *("cmaterdb", "colorectal_histology", "emnist", "eurosat", "food101"),
            *("horses_or_humans", "kmnist", "malaria", "omniglot", "patch_camelyon"),
            *(
                "imagenet2012",
                "oxford_flowers102",
                "oxford_iiit_pet",
                "places365_small",
            ),
            *("quickdraw_bitmap", "rock_paper_scissors", "stanford_dogs", "stl10"),
            *("svhn_cropped", "tf_flowers", "ucmerced"),
        )
    },
}


_PLAIN = {plain_word(name): names for name, names in OTHER_NAMES.items()}


def meant(name: str) -> tuple[str, ...]:
    """Return the data sets that an unknown name may mean, as `data.dataset` takes them.

    Args:
        name: Name of a data set in other programs, or path of a folder.
    """
    path = os.path.expanduser(name)
    if os.path.isdir(path):
        return (f"folder:{name}",)
    if (plain := plain_word(name)) in _PLAIN:
        return _PLAIN[plain]
    folder = os.path.dirname(name.rstrip("/"))  # of a file, or of a pattern
    if folder and (os.path.isfile(path) or "*" in name) and os.path.isdir(folder):
        return (f"folder:{folder}",)
    return ()
