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

Those of a model that makes pictures from pictures, of any height and width:

- `generate` and `serving_default` take condition float32 [num, height, width, channels]
  in [-1, 1] and give images alike;
- `translate` is the same with pictures uint8 [num, height, width, channels] in 0..255;
- `png` takes files, string [num], each a PNG or JPEG file of its own size (transparency
  is laid on white), and gives png, string [num].

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

from keras_gans.device.sampler import INFO_NAME

if TYPE_CHECKING:
    from keras_gans.sampling.keras_sampler import KerasSampler


def export(
    sampler: KerasSampler,
    path: str,
    size: int | None = None,
    num: int | None = None,
) -> None:
    """Writes a SavedModel; an older one at this path stays whole until it is done.

    Args:
        sampler: A `KerasSampler`: the model, and what it is.
        path: The folder to write.
        size: Of a model from pictures to pictures, to be converted to a .tflite of a
            fixed size: the side of the one picture that its only signature, `generate`,
            takes.
        num: Of a model from noise, to be converted to a .tflite of a fixed number of
            pictures: how many its only signature, `generate`, makes.
    """
    import keras

    info = sampler.info
    archive = keras.export.ExportArchive()
    if sampler.model.is_translation:
        _add_from_pictures(archive, sampler, size)
    else:
        _add_from_noise(archive, sampler, num)
    temporary = f"{path}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    archive.write_out(temporary, verbose=False)
    extra = os.path.join(temporary, "assets.extra")
    os.makedirs(extra, exist_ok=True)
    with open(os.path.join(extra, INFO_NAME), "w", encoding="utf-8") as file:
        json.dump(info, file, indent=1)
    with open(os.path.join(extra, "README.md"), "w", encoding="utf-8") as file:
        file.write(model_card(info))
    replace_folder(temporary, path)


def replace_folder(new: str, path: str) -> None:
    """Puts a folder in the place of another, which stays whole until then."""
    old = f"{path}.old"
    shutil.rmtree(old, ignore_errors=True)
    if os.path.lexists(path):
        os.replace(path, old)
    os.replace(new, path)
    shutil.rmtree(old, ignore_errors=True)


def _add_from_noise(archive, sampler: KerasSampler, num: int | None) -> None:
    import tensorflow as tf

    model, info = sampler.model, sampler.info
    specs = {"latents": tf.TensorSpec((num, info["latent_dim"]), name="latents")}
    if model.conditional:
        specs["labels"] = tf.TensorSpec((num,), tf.int32, name="labels")
    for name, spec in info["inputs"].items():
        specs[name] = tf.TensorSpec((num, *spec["shape"]), name=name)

    def generate(*inputs):
        named = dict(zip(specs, inputs, strict=True))
        return {"images": sampler.pictures(named)}

    archive.track(model.ema_generator)
    if num:
        archive.add_endpoint("generate", generate, [*specs.values()])
        return
    for endpoint in ("generate", "serving_default"):
        archive.add_endpoint(endpoint, generate, [*specs.values()])
    asked = [
        tf.TensorSpec((), tf.int32, name="num"),
        tf.TensorSpec((), tf.int64, name="seed"),
    ]
    if model.conditional:
        asked.append(tf.TensorSpec((), tf.int32, name="label"))
    sample = functools.partial(_sample, sampler)
    archive.add_endpoint("sample", lambda *a: {"images": sample(*a)}, asked)
    if info["image_shape"][-1] in (1, 3):  # points are no pictures

        def png(*inputs):
            encode = tf.io.encode_png
            return {
                "png": tf.map_fn(encode, sample(*inputs), fn_output_signature=tf.string)
            }

        archive.add_endpoint("png", png, asked)


def _add_from_pictures(archive, sampler: KerasSampler, size: int | None) -> None:
    import tensorflow as tf

    model, backward = sampler.model, sampler.backward
    channels = sampler.info["condition_shape"][-1]

    def generate(condition):
        return {"images": model.translate(condition, backward)}

    archive.track(model.translator(backward))
    if size:
        spec = tf.TensorSpec((1, size, size, channels), name="condition")
        archive.add_endpoint("generate", generate, [spec])
        return
    shape = (None, None, None, channels)
    for endpoint in ("generate", "serving_default"):
        archive.add_endpoint(
            endpoint, generate, [tf.TensorSpec(shape, name="condition")]
        )

    def translate(pictures):
        condition = tf.cast(pictures, tf.float32) / 127.5 - 1.0
        return {"images": _to_uint8(model.translate(condition, backward))}

    pictures = tf.TensorSpec(shape, tf.uint8, name="pictures")
    archive.add_endpoint("translate", translate, [pictures])

    def png_of(file):
        images = translate(_decode(file, channels)[None])["images"]
        return tf.io.encode_png(images[0])

    def png(files):
        return {"png": tf.map_fn(png_of, files, fn_output_signature=tf.string)}

    files = tf.TensorSpec((None,), tf.string, name="files")
    archive.add_endpoint("png", png, [files])


def _decode(file, channels: int):
    """Decodes a picture in the graph, on white: uint8 [height, width, channels]."""
    import tensorflow as tf

    image = tf.io.decode_image(file, expand_animations=False)
    image.set_shape((None, None, None))  # 1 to 4 channels; the last of 2 or 4 is alpha
    image = tf.cast(image, tf.float32)
    transparent = tf.shape(image)[-1] % 2 == 0
    opacity = tf.where(transparent, image[..., -1:] / 255.0, 1.0)
    colours = image[..., : tf.shape(image)[-1] - tf.cast(transparent, tf.int32)]
    colours = tf.broadcast_to(colours, (*tf.unstack(tf.shape(image)[:2]), 3))
    colours = 255.0 + opacity * (colours - 255.0)
    if channels == 1:
        colours = tf.image.rgb_to_grayscale(colours)
    return tf.cast(tf.round(colours), tf.uint8)


def _to_uint8(images):
    """Does in the graph what `sampler.to_uint8` does."""
    import tensorflow as tf

    images = tf.round((images + 1.0) * 127.5)
    return tf.cast(tf.clip_by_value(images, 0.0, 255.0), tf.uint8)


def _sample(sampler: KerasSampler, num, seed, label=None):
    """Draws uint8 pictures in the graph; see the top of this file."""
    import tensorflow as tf

    info = sampler.info
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
    return _to_uint8(sampler.pictures(inputs))


def model_card(info: dict) -> str:
    """Says in Markdown what a generator is for, from what, and where its limits are.

    Args:
        info: See `BaseSampler.info`.
    """
    height, width, channels = info["image_shape"]
    makes = f"pictures of {height} x {width} pixels, {channels} channel(s)"
    meant = "making more pictures that look as if they were of that set"
    if "condition_shape" in info:
        side, _, given = info["condition_shape"]
        scale = height // side
        times = f"of {scale} times their size" if scale > 1 else "of their size"
        makes = f"pictures from pictures, {times}, {channels} channel(s)"
        takes = f"pictures of any size, {given} channel(s); it was trained on {side} x "
        takes += f"{side} pixels"
        meant = "making such pictures from pictures like those that it was trained on"
    else:
        classes = ", ".join(map(str, info["class_names"]))
        takes = f"latents ({info['latents']}, {info['latent_dim']} numbers)"
        takes += f" and a label: {classes}" if classes else "; no label"
    marked = ""
    if "watermark" in info:
        marked = f"""
- **Marked:** its pictures hold an invisible mark (version {info["watermark"]}), which
  `python -m keras_gans.watermark picture.png --key=...` finds."""
    credit = info["data_credit"] or "pictures of whoever trained it; ask them"
    versions = ", ".join(f"{k} {v}" for k, v in info["versions"].items())
    return f"""# {info["name"]}

The generator of a generative adversarial network, trained by keras_gans for
{info["step"]} steps; an average over them.

- **Makes:** {makes}.
- **Takes:** {takes}.
- **Trained on:** {credit}.
- **Meant for:** {meant}. Say that
  they were generated.{marked}
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


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    from keras_gans.export import run_export

    return run_export("saved_model", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
