"""Options of a data set (the `[data]` table of a recipe) and its description."""

from __future__ import annotations

import dataclasses
from typing import Literal

from keras_gans.errors import UserError

# Kinds of condition images that `conditions.derive` makes from images.
DERIVED = ("outline", "grey", "small2", "small4")
LARGEST_BATCH, LARGEST_SIDE = 2**16, 2**13  # images, pixels


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """Options of a data set: its name, the size of its images and the augmentation.

    Attributes:
        dataset: Name of the data set. "digits" and "fashion" are embedded in the
            package; "ring" and "grid25" are points of a mixture of Gaussians.
            "tfds:NAME" is any image data set of TensorFlow Datasets. "folder:PATH" is a
            folder of image files, flat or with one sub-folder for each class. For
            translation, "pairs:A,B" is two folders with files of equal names, and
            "pairs:PATH" one folder of files with A and B side by side.
            "unpaired:A,B" is two folders without pairs, and "tfds:cycle_gan/NAME" a
            data set of TensorFlow Datasets without pairs. A prefix derives the
            condition images from another data set: "outline:digits",
            "grey:tfds:NAME", or "small2:..." and "small4:folder:PATH" for a half and a
            quarter of the side.
        batch_size: Number of images in an update of the discriminator, over all devices
            together; a step takes hparams.d_steps batches. 0 chooses it by the number
            and the size of the images.
        split: Split of a TFDS data set in the syntax of TFDS, such as "train" or
            "train[:80%]". For tfds:cycle_gan, "train" or "test" selects the splits of
            both A and B.
        image_size: Height and width of the images in pixels. Images are resized
            (antialiased) on their shorter side, then cropped at the center. 0 keeps the
            size of a data set whose images are all square and of one size; for a folder
            it chooses a size.
        channels: Number of channels: 1 for grayscale, 3 for RGB, 0 to keep those of the
            data set. For two folders, it applies to the images; condition images keep
            their own.
        horizontal_flip: Whether to mirror each image with probability 1/2.
        random_crop: Number of pixels by which images are enlarged in height and width
            before each is cropped at a random position.
        unpaired: Whether to take the condition images of a batch from other pairs than
            its images, as if the pairs were unknown.
        label_maps: Whether to resize the condition images of pairs as label maps, whose
            colors must not mix.
        direction: Direction of the translation between two kinds of images, A and B:
            "a_to_b" generates B from A, "b_to_a" generates A from B.
        held_out: Number of images to keep out of training, the same images for every
            seed. The log then records the discriminator's score of these images as
            "held_out_score", beside the "real_score" of training images.
        cache_mib: Largest size in MiB, after decoding, of TFDS data sets and folders
            that are kept in memory. Larger ones stream from disk.
    """

    dataset: str
    batch_size: int
    split: str = "train"
    image_size: int = 0
    channels: int = 0
    horizontal_flip: bool = False
    random_crop: int = 0
    unpaired: bool = False
    label_maps: bool = False
    direction: Literal["a_to_b", "b_to_a"] = "a_to_b"
    held_out: int = 0
    cache_mib: int = 1024

    def __post_init__(self) -> None:
        """Check the values and that they suit the data set.

        Raises:
            UserError: If a value is out of range or does not suit the data set.
        """
        if any("\ud800" <= letter <= "\udfff" for letter in self.dataset):
            name = self.dataset.encode("utf-8", "replace").decode()
            raise UserError(
                f"[data] dataset: expected a name in UTF-8, got '{name}'; rename the "
                "folder"
            )
        if not 0 <= self.batch_size <= LARGEST_BATCH:
            raise UserError(
                f"[data] batch_size: expected at least 1 and at most {LARGEST_BATCH}, "
                f"or 0 to choose it, got {self.batch_size}"
            )
        if self.split != "train" and not self.pictures.startswith("tfds:"):
            raise UserError(
                f"[data] split: only TFDS data sets have splits, got '{self.split}' "
                f"for '{self.dataset}'; leave it out"
            )
        for name in ("image_size", "cache_mib", "held_out", "random_crop"):
            if getattr(self, name) < 0:
                raise UserError(
                    f"[data] {name}: expected 0 or more, got {getattr(self, name)}"
                )
        for name in ("image_size", "random_crop"):
            if getattr(self, name) > LARGEST_SIDE:
                raise UserError(
                    f"[data] {name}: expected at most {LARGEST_SIDE} pixels, got "
                    f"{getattr(self, name)}"
                )
        if self.channels not in (0, 1, 3):
            raise UserError(f"[data] channels: expected 0, 1 or 3, got {self.channels}")
        if self.label_maps and not self.pictures.startswith("pairs:"):
            raise UserError(
                f"[data] label_maps: expected pairs:A,B, got '{self.dataset}'; leave "
                "it out"
            )
        if self.derivation and self.two_kinds:
            raise UserError(
                f"[data] dataset: '{self.pictures}' has its own condition images; "
                f"leave out '{self.derivation}:'"
            )
        if self.unpaired and not (self.derivation or self.two_kinds):
            raise UserError(
                f"[data] unpaired: '{self.dataset}' has no condition images; expected "
                "pairs:A,B or outline:..., grey:..., small2:..., small4:..."
            )
        if self.direction != "a_to_b" and not self.two_kinds:
            raise UserError(
                f"[data] direction: '{self.dataset}' has no A and B images; leave it "
                "out"
            )

    @property
    def derivation(self) -> str:
        """Prefix that derives condition images, one of `DERIVED`, or ""."""
        kind, colon, _ = self.dataset.partition(":")
        return kind if colon and kind in DERIVED else ""

    @property
    def two_kinds(self) -> bool:
        """True if the data set has two kinds of images, A and B."""
        kinds = "pairs:", "unpaired:", "tfds:cycle_gan/"
        return self.pictures.startswith(kinds)

    @property
    def pictures(self) -> str:
        """Name of the data set without the prefix that derives condition images."""
        return (
            self.dataset[len(self.derivation) + 1 :]
            if self.derivation
            else self.dataset
        )

    @property
    def kind(self) -> str:
        """Name of the data set without the paths of its folders."""
        kind, colon, paths = self.pictures.partition(":")
        if not colon or kind not in ("folder", "pairs", "unpaired"):
            return self.dataset
        prefix = self.dataset.removesuffix(self.pictures)
        parts = paths.count(",") if kind != "folder" else 0
        return f"{prefix}{kind}:{',' * parts}"

    def stored_size(self, side: int) -> int:
        """Return the side in pixels of stored images, before the random crop.

        Args:
            side: Side of the images in pixels, after the crop.
        """
        return side + self.random_crop


@dataclasses.dataclass(frozen=True)
class Share:
    """Rows of every batch that one worker reads; all workers read equal parts.

    Attributes:
        index: Index of the worker's part.
        count: Number of parts; it must divide the batch size.
    """

    index: int = 0
    count: int = 1

    def rows(self, batch_size: int) -> slice:
        """Return the rows of a batch that belong to the part."""
        size = batch_size // self.count
        return slice(self.index * size, (self.index + 1) * size)


WHOLE = Share()


@dataclasses.dataclass(frozen=True)
class DataInfo:
    """Description of a data set.

    Attributes:
        image_shape: Shape (height, width, channels) of the images.
        num_classes: Number of classes; 0 if the batches have no labels.
        class_names: Names of the classes, in the order of the labels.
        credit: Authors and license of the images, to be named with everything that is
            generated from them.
        num_examples: Number of images in the split; 0 if it is unknown before the data
            are read, or unlimited.
        fingerprint: Hash of the names of a folder's files; "" for other data sets.
        contents: Hash of the sizes and the ends of a folder's files; "" for other data
            sets and for runs of older versions.
        condition_shape: Shape (height, width, channels) of the condition images; () for
            a data set without.
        unpaired: Whether the pairs of images and condition images are unknown.
    """

    image_shape: tuple[int, int, int]
    num_classes: int = 0
    class_names: tuple[str, ...] = ()
    credit: str = ""
    num_examples: int = 0
    fingerprint: str = ""
    condition_shape: tuple[int, ...] = ()
    unpaired: bool = False
    contents: str = ""
