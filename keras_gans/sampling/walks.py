"""Walks from one latent to another."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from keras_gans.device import sampler as sampler_lib
from keras_gans.device.sampler import BaseSampler, SampleOptions
from keras_gans.errors import UserError


def walk(
    sampler: BaseSampler,
    start: SampleOptions,
    end: SampleOptions,
    num: int,
    labels: Sequence[int | None],
) -> np.ndarray:
    """Draw the frames of a walk from one sample to another.

    Latents of two seeds are interpolated on the sphere. Shifts and codes are
    interpolated linearly.

    Args:
        sampler: Generator from noise.
        start: Options of the first frame.
        end: Options of the last frame. Only its seed, shift and code values may differ.
        num: Number of frames for each label.
        labels: Labels of successive walks; [None] for a generator without classes.

    Returns:
        uint8 [len(labels) * num, height, width, channels].

    Raises:
        UserError: If `num` is less than 2.
        SamplerError: If an option is out of range, or the generator does not take it.
    """
    if num < 2:
        raise UserError(f"--num={num}: expected at least 2 frames for a walk")
    sampler.check(start)
    plain = dataclasses.replace(start, shift=0.0, codes={})
    latents = sampler.latents([0], plain)
    if end.seed != start.seed:
        [last] = sampler.latents([0], dataclasses.replace(plain, seed=end.seed))
        latents = sampler_lib.slerp(latents[0], last, num)
    shifts = np.linspace(start.shift, end.shift, num, dtype=np.float32)[:, None]
    codes = {k: np.linspace(v, end.codes[k], num) for k, v in start.codes.items()}
    latents = sampler.set_codes(latents + shifts, codes)
    extra = sampler.extra_inputs([0], plain)
    if "mixed_latents" in extra:
        extra["mixed_latents"] = extra["mixed_latents"] + shifts
    frames = [
        sampler.generate(latents, sampler.labels(num, label), extra) for label in labels
    ]
    return sampler_lib.to_uint8(np.concatenate(frames))
