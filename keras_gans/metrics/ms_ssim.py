"""Multi-scale structural similarity: how alike two pictures are, 1 at most.

Source: Wang et al. 2003, "Multiscale structural similarity for image quality
assessment". Odena et al. 2017 (arXiv 1610.09585) measure diversity by its mean over
pairs of one class: high values are a generator that makes few pictures.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the five scales
WINDOW = 11  # pixels, the side of the Gaussian window


def num_scales(side: int) -> int:
    """How many scales a picture has room for: each halves it, none below the window.

    Returns:
        1 to 5; 0 below 11 pixels. 28 and 32 pixels have 2, 64 has 3, 176 has all.
    """
    return sum(side >> scale >= WINDOW for scale in range(len(WEIGHTS)))


def ms_ssim(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compares pictures pair by pair.

    Args:
        a: uint8 [num, side, side, channels].
        b: The same.

    Returns:
        float32 [num]. With fewer than five scales the first ones' weights are divided
        by their sum.

    Raises:
        ValueError: for pictures of less than 11 pixels.
    """
    scales = num_scales(a.shape[1])
    if not scales:
        raise ValueError(f"expected at least {WINDOW} pixels, got {a.shape[1]}")
    weights = np.array(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])
    return tf.image.ssim_multiscale(a, b, 255, list(weights), WINDOW).numpy()
