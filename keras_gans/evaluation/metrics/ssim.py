"""Structural similarity of two images, on one scale (SSIM) or several (MS-SSIM).

Sources: Wang et al. 2004, "Image quality assessment: from error visibility to
structural similarity"; Wang et al. 2003, "Multiscale structural similarity for image
quality assessment". The maximum is 1, for equal images. Odena et al. 2017 (arXiv
1610.09585) measure diversity by the mean over pairs of one class. A high mean shows a
generator whose images vary little.
"""

from __future__ import annotations

import numpy as np

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the five scales
WINDOW, STDDEV = 11, 1.5  # side and standard deviation of the Gaussian window, pixels
# (K L)^2 of the paper, which keeps the quotients finite; L = 255.
LUMINANCE, CONTRAST = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def num_scales(side: int) -> int:
    """Return the number of scales on which an image is no smaller than the window.

    Each scale halves the image.

    Args:
        side: Side of the image in pixels.

    Returns:
        1 to 5; 0 below 11 pixels. For instance 28 and 32 pixels have 2 scales, 64
        pixels have 3, and 176 pixels have all 5.
    """
    return sum(side >> scale >= WINDOW for scale in range(len(WEIGHTS)))


def ms_ssim(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute the MS-SSIM of each pair of images.

    Args:
        a: First images, uint8 [num, side, side, channels].
        b: Second images, of the same shape.

    Returns:
        MS-SSIM of each pair, float32 [num]. With fewer than five scales, the weights of
        these scales are divided by their sum.

    Raises:
        ValueError: If the images are smaller than 11 pixels.
    """
    scales = num_scales(a.shape[1])
    if not scales:
        raise ValueError(f"expected at least {WINDOW} pixels, got {a.shape[1]}")
    weights = np.array(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])
    x, y = _planes(a), _planes(b)
    found = np.ones(len(x), x.dtype)
    for scale, weight in enumerate(weights):
        if scale:
            x, y = _halve(x), _halve(y)
        luminance, contrast = _compare(x, y)
        # Only the last scale has the luminance. Negative means count as 0.
        term = contrast * luminance if scale == scales - 1 else contrast
        found = found * np.maximum(term.mean(axis=(1, 2)), 0.0) ** weight
    return _means(found, a)


def ssim(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute the SSIM of each pair of images, on one scale.

    Args:
        a: First images, uint8 [num, height, width, channels], with a height and width
            of at least 11 pixels.
        b: Second images, of the same shape.

    Returns:
        SSIM of each pair, float32 [num].
    """
    luminance, contrast = _compare(_planes(a), _planes(b))
    return _means((luminance * contrast).mean(axis=(1, 2)), a)


def _planes(pictures: np.ndarray) -> np.ndarray:
    """Split images into single channels: float32 [num * channels, height, width]."""
    planes = np.moveaxis(pictures, -1, 1)
    return planes.reshape(-1, *pictures.shape[1:3]).astype(np.float32)


def _means(of_planes: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    return of_planes.reshape(-1, pictures.shape[-1]).mean(axis=1).astype(np.float32)


def _compare(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the terms of each pixel: luminance, and contrast times structure."""
    mean_x, mean_y = _blur(x), _blur(y)
    product, squares = mean_x * mean_y, mean_x**2 + mean_y**2
    covariance = _blur(x * y) - product
    variances = _blur(x**2 + y**2) - squares
    return (
        (2.0 * product + LUMINANCE) / (squares + LUMINANCE),
        (2.0 * covariance + CONTRAST) / (variances + CONTRAST),
    )


def _blur(planes: np.ndarray) -> np.ndarray:
    """Blur with the Gaussian window, only at pixels where the window fits inside."""
    line = np.exp(-0.5 * ((np.arange(WINDOW) - WINDOW // 2) / STDDEV) ** 2)
    line = (line / line.sum()).astype(np.float32)
    height, width = (side - WINDOW + 1 for side in planes.shape[1:])
    zero = np.zeros((), planes.dtype)
    rows = sum((w * planes[:, i : i + height] for i, w in enumerate(line)), zero)
    return sum((w * rows[:, :, i : i + width] for i, w in enumerate(line)), zero)


def _halve(planes: np.ndarray) -> np.ndarray:
    """Average 2 x 2 pixels; the last row or column of an odd side counts twice."""
    _, height, width = planes.shape
    planes = np.pad(planes, ((0, 0), (0, height % 2), (0, width % 2)), "symmetric")
    down = planes[:, ::2] + planes[:, 1::2]
    return (down[:, :, ::2] + down[:, :, 1::2]) / 4.0
