"""Walks from latent to latent."""

from __future__ import annotations

import numpy as np
from absl import flags

from keras_gans.device import sampler as sampler_lib
from keras_gans.device.sampler import BaseSampler
from keras_gans.errors import UserError


def walk(
    sampler: BaseSampler,
    values: flags.FlagValues,
    label: int | None,
    shift: list[float],
    codes: dict[int, list[float]],
    truncation: float | list[float],
    mix: tuple[int, int] | None,
) -> np.ndarray:
    """Draws the frames of a walk: of one class, or by a code, each class in turn."""
    if values.num < 2:
        raise UserError(f"--num={values.num}: a walk needs at least 2 frames")
    classes = sampler.info["num_classes"]
    sweep = any(len(ends) == 2 for ends in codes.values())
    chosen = [label]
    if label is None and classes:
        chosen = range(classes) if sweep and values.out.endswith(".png") else [0]
    start, *_ = sampler.latents([0], values.seed, truncation, values.threshold)
    if values.interpolate is not None:
        end, *_ = sampler.latents([0], values.interpolate, truncation, values.threshold)
        moves = sum(shift)
        latents = sampler_lib.slerp(start, end, values.num) + np.float32(moves)
    else:
        ends = shift if len(shift) == 2 else [sum(shift)] * 2
        moves = np.linspace(*ends, values.num, dtype=np.float32)[:, None]
        latents = start + moves
    options = sampler.options(
        [0], truncation, values.noise, mix, values.threshold, moves
    )
    between = {k: np.linspace(v[0], v[-1], values.num) for k, v in codes.items()}
    latents = sampler.set_codes(latents, between)
    rows = [
        sampler.generate(latents, sampler.labels(values.num, one), options)
        for one in chosen
    ]
    return sampler_lib.to_uint8(np.concatenate(rows))
