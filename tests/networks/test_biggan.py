"""BigGAN's generator: its initial weights."""

import numpy as np
from keras import ops

from keras_gans.networks import biggan


def test_class_embeddings_start_orthogonal():
    """Appendix B of the paper: orthogonal initialization of all weights."""
    network = biggan.generator((16, 16, 1), 10, 9, 32, 4)
    [kernel] = [w for w in network.weights if w.path.endswith("embeddings")]
    rows = ops.convert_to_numpy(kernel)
    assert rows.shape == (10, 32)
    np.testing.assert_allclose(rows @ rows.T, np.eye(10), atol=1e-5)
