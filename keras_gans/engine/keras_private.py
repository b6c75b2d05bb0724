"""Private names of Keras and TensorFlow, each with the reason for its use.

`tests/engine/test_compiled.py` fails with a clear message when one of them is gone.
"""

from __future__ import annotations


def is_compiling() -> bool:
    """Return whether TensorFlow traces a function that XLA will compile.

    TensorFlow has no public name for this. A flag of our own would miss functions
    that a user compiles with `tf.function(..., jit_compile=True)`.
    """
    from tensorflow.python.framework import ops
    from tensorflow.python.ops import control_flow_util

    return control_flow_util.GraphOrParentsInXlaContext(ops.get_default_graph())
