"""Exports a trained generator as a SavedModel that plain TensorFlow loads.

    python -m keras_gans.export.saved_model --workdir=runs/cgan

Its signatures:

- `generate` and `serving_default` take latents float32 [num, latent_dim] (and labels
  int32 [num], if it is conditional, and what keras_gans.json names under "inputs") and
  give images float32 [num, height, width, channels] in [-1, 1];
- `sample` takes num int32 [] and seed int64 [] (and label int32 [], -1 for all in turn)
  and gives images uint8 [num, height, width, channels]; the i-th depends on the seed, i
  and the label alone. TensorFlow draws the latents: they are others than those of the
  same seed in `keras_gans.sample`;
- `png` is the same, encoded: string [num].

`assets.extra/keras_gans.json` says what the generator is, with the whole recipe, and
`assets.extra/README.md` is its model card.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
from typing import TYPE_CHECKING

import numpy as np
from keras_gans.export.sampler import INFO_NAME, BaseSampler

if TYPE_CHECKING:
    from keras_gans.building import KerasSampler

from keras_gans.errors import UserError


def export(sampler: KerasSampler, path: str) -> None:
    """Writes a SavedModel; an older one at this path stays whole until it is done.

    Args:
        sampler: A `keras_gans.building.KerasSampler`: the model, and what it is.
        path: The folder to write.
    """
    import keras
    import tensorflow as tf

    model, info = sampler.model, sampler.info
    specs = {"latents": tf.TensorSpec((None, info["latent_dim"]), name="latents")}
    if model.conditional:
        specs["labels"] = tf.TensorSpec((None,), tf.int32, name="labels")
    for name, spec in info["inputs"].items():
        specs[name] = tf.TensorSpec((None, *spec["shape"]), name=name)

    def generate(*inputs):
        named = dict(zip(specs, inputs, strict=True))
        return {"images": model.call(named)}

    archive = keras.export.ExportArchive()
    archive.track(model.ema_generator)
    for endpoint in ("generate", "serving_default"):
        archive.add_endpoint(endpoint, generate, [*specs.values()])
    asked = [
        tf.TensorSpec((), tf.int32, name="num"),
        tf.TensorSpec((), tf.int64, name="seed"),
    ]
    if model.conditional:
        asked.append(tf.TensorSpec((), tf.int32, name="label"))
    sample = functools.partial(_sample, model, info)
    archive.add_endpoint("sample", lambda *a: {"images": sample(*a)}, asked)
    if info["image_shape"][-1] in (1, 3):  # points are no pictures

        def png(*inputs):
            encode = tf.io.encode_png
            return {
                "png": tf.map_fn(encode, sample(*inputs), fn_output_signature=tf.string)
            }

        archive.add_endpoint("png", png, asked)
    temporary = f"{path}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    archive.write_out(temporary, verbose=False)
    extra = os.path.join(temporary, "assets.extra")
    os.makedirs(extra, exist_ok=True)
    with open(os.path.join(extra, INFO_NAME), "w", encoding="utf-8") as file:
        json.dump(info, file, indent=1)
    with open(os.path.join(extra, "README.md"), "w", encoding="utf-8") as file:
        file.write(model_card(info))
    old = f"{path}.old"
    shutil.rmtree(old, ignore_errors=True)
    if os.path.lexists(path):
        os.replace(path, old)
    os.replace(temporary, path)
    shutil.rmtree(old, ignore_errors=True)


def _sample(model, info: dict, num, seed, label=None):
    """Draws uint8 pictures in the graph; see the top of this file."""
    import tensorflow as tf

    shape, indices = (info["latent_dim"],), tf.range(tf.cast(num, tf.int64))

    def draw(index):
        key = tf.stack([seed, index])
        if info["latents"] == "normal":
            return tf.random.stateless_normal(shape, key)
        return tf.random.stateless_uniform(shape, key, -1.0, 1.0)

    inputs = {"latents": tf.map_fn(draw, indices, fn_output_signature=tf.float32)}
    if label is not None:
        classes = info["num_classes"]
        known = tf.logical_and(label >= -1, label < classes)
        message = f"label: expected 0 to {classes - 1}, or -1 for all in turn"
        with tf.control_dependencies([tf.debugging.Assert(known, [message, label])]):
            turns = tf.cast(indices % classes, tf.int32)
            inputs["labels"] = tf.where(label < 0, turns, label)
    images = tf.round((model.call(inputs) + 1.0) * 127.5)
    return tf.cast(tf.clip_by_value(images, 0.0, 255.0), tf.uint8)


def model_card(info: dict) -> str:
    """Says in Markdown what a generator is for, from what, and where its limits are.

    Args:
        info: See `BaseSampler.info`.
    """
    height, width, channels = info["image_shape"]
    classes = ", ".join(map(str, info["class_names"]))
    takes = f"latents ({info['latents']}, {info['latent_dim']} numbers)"
    takes += f" and a label: {classes}" if classes else "; no label"
    credit = info["data_credit"] or "pictures of whoever trained it; ask them"
    versions = ", ".join(f"{k} {v}" for k, v in info["versions"].items())
    return f"""# {info["name"]}

The generator of a generative adversarial network, trained by keras_gans for
{info["step"]} steps; an average over them.

- **Makes:** pictures of {height} x {width} pixels, {channels} channel(s).
- **Takes:** {takes}.
- **Trained on:** {credit}.
- **Meant for:** making more pictures that look as if they were of that set. Say that
  they were generated.
- **Not for:** what needs true pictures, as evidence, diagnosis or measurements.
- **Limits:** it knows nothing but its training pictures, with their gaps and biases; it
  leaves out some of their variety, makes some bad pictures, and may repeat those of a
  small set. How well it does is not measured here: `python -m keras_gans.evaluate`.
- **Licence:** the data's, as said above, and that of whoever trained it.
- **Made with:** {versions}.

## Recipe

```toml
{info["recipe"].strip()}
```
"""


class SavedModelSampler(BaseSampler):
    """A SavedModel generator that this package wrote.

    Args:
        path: Its folder.

    Raises:
        UserError: if it cannot be read, or is not such a generator.
    """

    def __init__(self, path: str):
        """Loads the model."""
        import tensorflow as tf

        try:
            with open(os.path.join(path, "assets.extra", INFO_NAME), "rb") as file:
                self.info = json.load(file)
            self._model = tf.saved_model.load(path)
            self._generate = self._model.signatures["generate"]
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            raise UserError(
                f"{path}: truncated, or not a SavedModel that keras_gans wrote "
                f"({type(error).__name__}); export it again"
            ) from None

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Runs the generator; see BaseSampler.run."""
        import tensorflow as tf

        tensors = {name: tf.constant(values) for name, values in inputs.items()}
        return self._generate(**tensors)["images"].numpy()


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    from keras_gans.export import run_export

    return run_export("saved_model", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
