"""Training steps without callbacks and input pipeline, on the active Keras backend."""

from __future__ import annotations

import keras

if keras.backend.backend() == "jax":
    from keras_gans.benchmarks.bare_loop_jax import BareLoop, multiplications
else:
    from keras_gans.benchmarks.bare_loop_tensorflow import BareLoop, multiplications

__all__ = ["BareLoop", "multiplications"]
