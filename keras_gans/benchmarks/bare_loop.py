"""Training steps with nothing around them, on the backend that Keras has."""

from __future__ import annotations

import keras

if keras.backend.backend() == "jax":
    from keras_gans.benchmarks.bare_loop_jax import BareLoop, multiplications
else:
    from keras_gans.benchmarks.bare_loop_tensorflow import BareLoop, multiplications

__all__ = ["BareLoop", "multiplications"]
