"""Alias of the device sampler; see `keras_gans.device.sampler`."""

import sys

from keras_gans.device.sampler import *  # noqa: F403
from keras_gans.device.sampler import main

if __name__ == "__main__":
    sys.exit(main())
