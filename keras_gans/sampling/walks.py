"""Walks from latent to latent."""

from __future__ import annotations

import numpy as np

from keras_gans.device import sampler as sampler_lib
from keras_gans.device.sampler import BaseSampler
from keras_gans.errors import UserError


def walk(
    sampler: BaseSampler,
    num: int,
    *,
    seed: int,
    label: int | None,
    interpolate: int | None,
    shift: list[float],
    codes: dict[int, list[float]],
    truncation: float | list[float],
    threshold: float | None,
    noise: float,
    mix: tuple[int, int] | None,
    rows: bool,
) -> np.ndarray:
    """Draw the frames of a walk from one latent, shift or code to another.

    Args:
        sampler: Generator to draw from.
        num: Number of frames.
        seed: Seed of the first latent.
        label: Class of the frames; None for the first class, or for a walk of every
            class where a code moves and `rows` is set.
        interpolate: Seed of the last latent; None for a walk by shift or code.
        shift: Numbers to add to the latents: one, or the two ends of a walk.
        codes: Continuous codes: {number: [value] or the two ends of a walk}.
        truncation: See `BaseSampler.options`.
        threshold: See `BaseSampler.latents`.
        noise: See `BaseSampler.options`.
        mix: See `BaseSampler.options`.
        rows: Whether the frames become a grid, with a row for each class.

    Returns:
        uint8 [num of frames, height, width, channels].

    Raises:
        UserError: For fewer than 2 frames.
    """
    if num < 2:
        raise UserError(f"--num={num}: a walk needs at least 2 frames")
    classes = sampler.info["num_classes"]
    sweep = any(len(ends) == 2 for ends in codes.values())
    chosen = [label]
    if label is None and classes:
        chosen = range(classes) if sweep and rows else [0]
    start, *_ = sampler.latents([0], seed, truncation, threshold)
    if interpolate is not None:
        end, *_ = sampler.latents([0], interpolate, truncation, threshold)
        moves = sum(shift)
        latents = sampler_lib.slerp(start, end, num) + np.float32(moves)
    else:
        ends = shift if len(shift) == 2 else [sum(shift)] * 2
        moves = np.linspace(*ends, num, dtype=np.float32)[:, None]
        latents = start + moves
    options = sampler.options([0], truncation, noise, mix, threshold, moves)
    between = {k: np.linspace(v[0], v[-1], num) for k, v in codes.items()}
    latents = sampler.set_codes(latents, between)
    rows = [
        sampler.generate(latents, sampler.labels(num, one), options) for one in chosen
    ]
    return sampler_lib.to_uint8(np.concatenate(rows))
