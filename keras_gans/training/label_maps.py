"""Label maps: the palette of a recipe, and images that hold class numbers."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_gans import data
from keras_gans.data import conditions, images
from keras_gans.data.source import Source
from keras_gans.errors import UserError
from keras_gans.recipes.config import Config

DEFAULT = [0, 255]  # palette of the zoo's recipes: black outlines on white
MOST = 256  # colors of a label map; an image with more is no label map
READ = 4096  # upper limit of the label maps that are searched for colors
CHUNK = 256


def choose_palette(
    config: Config, data_dir: str | None
) -> tuple[Config, tuple[str, ...]]:
    """Take the palette of a recipe from the label maps if it is empty or does not fit.

    An empty palette is replaced. So is the palette of the zoo's recipes, if the maps
    hold class numbers or RGB colors.

    Args:
        config: Recipe; networks with the keyword `palette` read label maps.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.

    Returns:
        (recipe with palettes that fit, notes for the user).

    Raises:
        UserError: If all colors of the maps get the same label, or the palette is empty
            and the images are no label maps.
    """
    names = [name for name, values in config.keywords.items() if "palette" in values]
    if not names:
        return config, ()
    options = config.data
    if options.pictures.startswith("pairs:"):  # resizing must not mix colors
        options = dataclasses.replace(options, label_maps=True)
    source = data.open_source(options, data_dir)
    if not source.info.condition_shape or source.info.unpaired:
        return config, ()  # building the model reports it
    num, searched = source.info.num_examples, "the label maps"
    if num > READ:
        source = source.take(np.linspace(0, num - 1, READ).astype(int))
        searched = f"{READ:,} of the {num:,} label maps"
    colours = _colours(source)
    keywords, notes, taken, compared = dict(config.keywords), [], False, []
    for name in names:
        palette = keywords[name]["palette"]
        if not palette or (palette == DEFAULT and _unfit(colours)):
            keywords[name] = {**keywords[name], "palette": _palette(colours, name)}
            taken = True
        elif palette not in compared:  # both networks have one palette as a rule
            notes += _compare(colours, palette, name)
            compared.append(palette)
    if not taken:
        return config, tuple(notes)
    notes.append(f"palette: {len(colours)} labels, {_words(colours)}, from {searched}")
    return dataclasses.replace(config, keywords=keywords, data=options), tuple(notes)


def note_class_numbers(config: Config, pictures: np.ndarray) -> tuple[str, ...]:
    """Return a note if condition images may be class numbers that no palette reads.

    Args:
        config: Recipe of the run.
        pictures: Condition images, uint8 [num, height, width, channels].
    """
    colours = np.unique(pictures)[:, None]  # of all channels
    if "palette" in config.keywords.get("generator", {}) or not _numbers(colours, 64):
        return ()
    return (
        f"the condition images have only the values {_words(colours)} and are nearly "
        "black; if these are class numbers, use --model=spade, or give each class a "
        "color",
    )


def _colours(source: Source) -> np.ndarray:
    """Return the distinct colors of label maps, uint8 [num, channels], sorted.

    The search ends at more than `MOST` colors.
    """
    channels, info = source.info.image_shape[-1], source.info
    found = np.zeros((0, info.condition_shape[-1]), np.uint8)
    for stored, _ in source.chunks(CHUNK):
        if source.options.derivation:
            made = conditions.derive(images.to_float(stored), source.options.derivation)
            maps = images.to_uint8(made)
        else:
            maps = stored[..., channels:]
        new = np.unique(maps.reshape(-1, maps.shape[-1]), axis=0)
        found = np.unique(np.concatenate([found, new]), axis=0)
        if len(found) > MOST:
            break
    return found


def _numbers(colours: np.ndarray, below: int) -> bool:
    """Return whether grayscale values are small numbers, and 255 for no class."""
    small = colours[colours != 255]
    if colours.shape[1] != 1 or len(colours) < 2 or not len(small):
        return False
    return 0 < small.max() < below and 4 * len(small) > small.max()


def _unfit(colours: np.ndarray) -> bool:
    """Return whether label maps need another palette than black and white."""
    if colours.shape[1] != 1:
        return len(colours) <= MOST
    return _numbers(colours, 192)


def _palette(colours: np.ndarray, name: str) -> list:
    """Return a palette of all colors; raise UserError for images that are no maps."""
    if not 2 <= len(colours) <= MOST:
        number = f"more than {MOST}" if len(colours) > MOST else "1"
        raise UserError(
            f"{name}.palette: expected label maps with 2 to {MOST} colors, got {number}"
            "; use PNG files of 8 bits (JPEG mixes colors, 16 bits are divided by "
            "256), or list the colors in the palette"
        )
    return colours[:, 0].tolist() if colours.shape[1] == 1 else colours.tolist()


def _compare(colours: np.ndarray, palette: list, name: str) -> list[str]:
    """Return notes on colors that a palette lacks; raise UserError for one label."""
    try:
        known = np.array(palette, float).reshape(len(palette), -1)
    except (TypeError, ValueError):
        return []  # building the model reports it
    if len(known) < 2 or known.shape[1] != colours.shape[1]:
        return []
    distances = ((colours[:, None].astype(float) - known) ** 2).sum(-1)
    if len(np.unique(distances.argmin(1))) == 1:
        raise UserError(
            f"{name}.palette: all colors of the label maps ({_words(colours)}) get the "
            f"same label, {palette[distances[0].argmin()]}; list their colors, or pass "
            "--set=generator.palette=[] --set=discriminator.palette=[] to take them "
            "from the maps"
        )
    missing = int((distances.min(1) > 0).sum())
    if not missing or len(colours) > MOST:
        return []
    return [
        f"the label maps hold {len(colours)} colors, of which {missing} are not in "
        f"{name}.palette and get the label of the nearest color"
    ]


def _words(colours: np.ndarray) -> str:
    """Return the first colors in words."""
    if colours.shape[1] == 1:
        values = colours[:, 0].tolist()
        if values == list(range(values[0], values[-1] + 1)) and len(values) > 2:
            return f"{values[0]} to {values[-1]}"
    else:
        values = colours.tolist()
    more = f" and {len(values) - 8} more" if len(values) > 8 else ""
    return ", ".join(map(str, values[:8])) + more
