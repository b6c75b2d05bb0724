"""Folders for data that the package would otherwise compute or download again."""

from __future__ import annotations

import os


def folder(name: str) -> str:
    """Return the path of a cache folder, which may not exist yet.

    Args:
        name: Name of the cache.

    Returns:
        `$XDG_CACHE_HOME/keras_gans/<name>`, or `~/.cache/keras_gans/<name>` if this
        variable is not set.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    return os.path.join(os.path.expanduser(caches), "keras_gans", name)
