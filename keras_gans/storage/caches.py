"""Where the package keeps what it would otherwise compute or fetch again."""

from __future__ import annotations

import os


def folder(name: str) -> str:
    """A folder of the user's caches; it may not be there yet.

    Args:
        name: What is kept in it.

    Returns:
        $XDG_CACHE_HOME/keras_gans/<name>; ~/.cache if that variable is not set.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    return os.path.join(os.path.expanduser(caches), "keras_gans", name)
