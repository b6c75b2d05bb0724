"""Precision in which networks compute."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from keras import config


@contextlib.contextmanager
def policy(name: str) -> Iterator[None]:
    """Set the dtype policy of the layers that are built inside.

    Args:
        name: Name of the policy, as "float32" or "mixed_bfloat16".
    """
    before = config.dtype_policy()
    config.set_dtype_policy(name)
    try:
        yield
    finally:
        config.set_dtype_policy(before)
