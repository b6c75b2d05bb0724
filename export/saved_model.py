"""Export a trained generator as a SavedModel that plain TensorFlow loads.

    python -m keras_gans.export.saved_model --workdir=runs/cgan

Signatures of a generator that takes latents:

- `generate` and `serving_default` take `latents`, float32 [num, latent_dim]. A
  conditional generator also takes `labels`, int32 [num]. keras_gans.json lists other
  inputs under "inputs". They return `images`, float32 [num, height, width, channels]
  in [-1, 1]. With several inputs, `keras.layers.TFSMLayer` of `serving_default` takes
  one dictionary of them.
- `sample` takes `num`, int32 [], and `seed`, int64 []. A conditional generator also
  takes `label`, int32 [], where -1 is all classes in turn. It returns `images`, uint8
  [num, height, width, channels]. Image i depends only on the seed, i and the label.
  TensorFlow draws the latents, which differ from those of the same seed in
  `keras_gans.sample`.
- `png` takes the same inputs as `sample`, and returns the images as PNG files: `png`,
  string [num].

Signatures of a translation model, for condition images of any height and width:

- `generate` and `serving_default` take `condition`, float32 [num, height, width,
  channels] in [-1, 1], and return `images` of the same kind.
- `translate` takes `pictures`, uint8 [num, height, width, channels], and returns
  `images`, uint8.
- `png` takes `files`, string [num], each a PNG or JPEG file of any size, and returns
  `png`, string [num]. Transparent images are placed on white.

`assets.extra/keras_gans.json` describes the generator and contains the whole recipe.
`assets.extra/README.md` is the model card.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from typing import TYPE_CHECKING

from keras_gans.device.sampler import INFO_NAME
from keras_gans.storage import files

if TYPE_CHECKING:
    from keras_gans.sampling.keras_sampler import KerasSampler

# Beginnings of the names in the folder of exports.
PARTS = ("saved_model", "web", "generator", "scratch")
OLD = ".old"  # ending of an older folder while a new one takes its place


def export(
    sampler: KerasSampler,
    path: str,
    size: int | None = None,
    num: int | None = None,
) -> None:
    """Write a SavedModel.

    An older SavedModel at this path is replaced once the new one is complete.

    Args:
        sampler: A `KerasSampler`, which holds the model and its description.
        path: Folder to write.
        size: Side in pixels of the condition images of a translation model that is to
            be converted to a .tflite file of fixed size. The only signature is then
            `generate`, for one image.
        num: Number of images of a model that takes latents and is to be converted to a
            .tflite file of fixed batch size. The only signature is then `generate`.
    """
    import keras

    info = sampler.info
    archive = keras.export.ExportArchive()
    if sampler.model.is_translation:
        _add_from_pictures(archive, sampler, size)
    else:
        _add_from_noise(archive, sampler, num)
    temporary = path + files.TEMPORARY
    files.remove(temporary)
    archive.write_out(temporary, verbose=False)
    extra = os.path.join(temporary, "assets.extra")
    os.makedirs(extra, exist_ok=True)
    with open(os.path.join(extra, INFO_NAME), "w", encoding="utf-8") as file:
        json.dump(info, file, indent=1)
    card = os.path.join(extra, "README.md")
    with open(card, "w", encoding="utf-8", errors="replace") as file:
        file.write(model_card(info))
    replace_folder(temporary, path)


def replace_folder(new: str, path: str) -> None:
    """Move a complete folder to a path, and remove an older folder at that path.

    Args:
        new: Folder to move.
        path: Path of the folder afterwards.
    """
    old = path + OLD
    files.remove(old)
    if os.path.lexists(path):
        os.replace(path, old)
    os.replace(new, path)
    files.remove(old)


def recover(folder: str) -> None:
    """Remove what killed exports have left in a folder, and restore older exports."""
    files.sweep(folder, *PARTS)
    for entry in os.listdir(folder):
        if not entry.startswith(PARTS):
            continue
        old, path = (os.path.join(folder, e) for e in (entry, entry.removesuffix(OLD)))
        if old != path and os.path.lexists(path):
            files.remove(old)
        elif old != path:
            os.replace(old, path)


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
    archive.add_endpoint("generate", generate, [*specs.values()])
    if len(specs) == 1:
        archive.add_endpoint("serving_default", generate, [*specs.values()])
    else:  # keras.layers.TFSMLayer passes one argument

        def by_name(inputs):
            return generate(*(inputs[name] for name in specs))

        archive.add_endpoint("serving_default", by_name, [specs])
    asked = [
        tf.TensorSpec((), tf.int32, name="num"),
        tf.TensorSpec((), tf.int64, name="seed"),
    ]
    if model.conditional:
        asked.append(tf.TensorSpec((), tf.int32, name="label"))
    sample = functools.partial(_sample, sampler)
    archive.add_endpoint("sample", lambda *a: {"images": sample(*a)}, asked)
    if info["image_shape"][-1] in (1, 3):  # points are not images

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
    """Decode an image in the graph, on white: uint8 [height, width, channels]."""
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
    """Convert images from [-1, 1] to uint8 in the graph, as `sampler.to_uint8` does."""
    import tensorflow as tf

    images = tf.round((images + 1.0) * 127.5)
    return tf.cast(tf.clip_by_value(images, 0.0, 255.0), tf.uint8)


def _sample(sampler: KerasSampler, num, seed, label=None):
    """Draw uint8 images in the graph, for the signature `sample`."""
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
        message = f"label: expected 0 to {classes - 1}, or -1 for all classes in turn"
        with tf.control_dependencies([tf.debugging.Assert(known, [message, label])]):
            turns = tf.cast(indices % classes, tf.int32)
            inputs["labels"] = tf.where(label < 0, turns, label)
    return _to_uint8(sampler.pictures(inputs))


def model_card(info: dict) -> str:
    """Render the model card of a generator in Markdown.

    Args:
        info: Description of the generator; see `BaseSampler.info`.
    """
    height, width, channels = info["image_shape"]
    makes = f"images of {height} x {width} pixels, {channels} channel(s)"
    meant = "generating images that resemble the training set"
    if "condition_shape" in info:
        side, _, given = info["condition_shape"]
        scale = height // side
        times = f"{scale} times the size" if scale > 1 else "the size"
        makes = f"images, {times} of the condition image, {channels} channel(s)"
        takes = (
            f"condition images of any size, {given} channel(s); trained on {side} x "
        )
        takes += f"{side} pixels"
        meant = "translating images that resemble the training images"
    else:
        classes = ", ".join(map(str, info["class_names"]))
        takes = (
            f"latents ({info['latents']} distribution, {info['latent_dim']} numbers)"
        )
        takes += f" and a label: {classes}" if classes else "; no label"
    marked = ""
    if "watermark" in info:
        marked = f"""
- **Watermark:** each image contains an invisible mark (version {info["watermark"]}).
  `python -m keras_gans.watermark image.png --key=...` detects this mark."""
    credit = info["data_credit"] or "not recorded; ask the person who trained the model"
    versions = ", ".join(f"{k} {v}" for k, v in info["versions"].items())
    return f"""# {info["name"]}

The generator of a generative adversarial network, trained by keras_gans for
{info["step"]} steps. Its weights are a moving average over the training steps.

- **Output:** {makes}.
- **Input:** {takes}.
- **Training set:** {credit}.
- **Intended use:** {meant}.
  Label the images as generated.{marked}
- **Not intended for:** uses that need real images, such as evidence, diagnosis or
  measurements.
- **Limitations:** the generator reproduces the gaps and biases of its training set. It
  covers only a part of the training set's variety, and some of its images are faulty.
  It may copy images of a small training set. This card does not measure the quality of
  the images: use `python -m keras_gans.evaluate`.
- **License:** the license of the training set, and that of the person who trained the
  model.
- **Software:** {versions}.

## Recipe

```toml
{info["recipe"].strip()}
```
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    from keras_gans.export import run_export

    return run_export("saved_model", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
