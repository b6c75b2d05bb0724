"""300 damaged images are read, or left out with a reason; memory is bounded."""

import gc
import io
import os
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from keras_gans import data
from keras_gans.data import images
from keras_gans.data.options import DataOptions
from keras_gans.device import sampler

pytestmark = pytest.mark.slow
# The memory is that beside the worker's own, which other tests have filled. A process
# that has imported TensorFlow takes 0.6 GiB, so that the whole is below 1.5 GiB.
NUMBER, SECONDS, MEBIBYTES = 300, 10, 900
FORMATS = {
    "png": {},
    "jpg": {"format": "JPEG"},
    "progressive.jpg": {"format": "JPEG", "progressive": True},
    "webp": {},
    "gif": {},
    "bmp": {},
    "tif": {"compression": "tiff_lzw"},
    "tiff": {"compression": "jpeg"},
    "ppm": {},
    "tga": {},
    "jp2": {},
    "avif": {},
}
MODES = {
    "png": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "tif": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"),
}


def whole(rng, ending):
    """Return the content of a valid file, with EXIF data and a color profile."""
    mode = rng.choice(MODES.get(ending, ("RGB",)))
    side = int(rng.integers(1, 200))
    noise = rng.integers(0, 256, (side, int(rng.integers(1, 200)), 3), np.uint8)
    image = Image.fromarray(noise)
    image = image.convert("L").convert(mode) if mode[0] in "IF" else image.convert(mode)
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = int(rng.integers(1, 9) if ending == "tif" else rng.integers(10))
    more: dict = {"format": Image.registered_extensions()[f".{ending.split('.')[-1]}"]}
    if ending in ("png", "jpg", "tif", "webp"):
        more |= {"exif": exif, "icc_profile": rng.bytes(int(rng.integers(1, 3000)))}
    if ending in ("gif", "webp", "tif", "png") and rng.random() < 0.3:
        more |= {"save_all": True, "append_images": [image] * 3}
    image.save(buffer, **more | FORMATS[ending])
    return buffer.getvalue()


def cut(rng, content):
    return content[: int(rng.integers(0, len(content)))]


def flip(rng, content):
    damaged = bytearray(content)
    for place in rng.integers(0, len(content), int(rng.integers(1, 30))):
        damaged[place] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def flip_header(rng, content):
    damaged = bytearray(content)
    for place in rng.integers(0, min(80, len(content)), int(rng.integers(1, 6))):
        damaged[place] = int(rng.integers(256))
    return bytes(damaged)


def insert(rng, content):
    place = int(rng.integers(0, len(content)))
    return content[:place] + rng.bytes(int(rng.integers(1, 5000))) + content[place:]


def swap(rng, content):
    middle = len(content) // 2
    return content[:40] + content[middle:] + content[40:middle]


def huge_png(rng, content):
    """Return a PNG that claims a huge size, and has some or all of its rows."""
    side, kind = (
        int(rng.choice([9_000, 20_000, 60_000, 2**31 - 1])),
        rng.choice([0, 2, 6]),
    )

    def chunk(name, data):
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    head = struct.pack(">IIBBBBB", side, side, 8, int(kind), 0, 0, 0)
    rows = zlib.compress(bytes(int(rng.choice([100, 2**20, 2**26]))))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows)


def huge_number(rng, content):
    """Return a file in which four bytes of the header are a huge number."""
    place = int(rng.integers(4, min(60, len(content))))
    number = int(rng.choice([2**31 - 1, 2**32 - 1, 65535, 65535 << 16]))
    order = "<I" if rng.random() < 0.5 else ">I"
    return content[:place] + struct.pack(order, number) + content[place + 4 :]


def foreign(rng, content):
    others = (b"", b"<!DOCTYPE html><html>404</html>", b"%!PS-Adobe-3.0 EPSF-3.0\n")
    others += (rng.bytes(999), b"\0" * 999, b"MZ\x90\0", b"PK\3\4", b"%PDF-1.7\n")
    others += (
        b"\0\0\0\x18ftypheic",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"P6\n9 9\n255\n",
    )
    return others[int(rng.integers(len(others)))]


def intact(rng, content):
    return content  # under another ending


DAMAGE = (cut, flip, flip_header, insert, swap, huge_png, huge_number, foreign, intact)


def reset():
    """Let the system measure a new peak (Linux)."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="Linux only")
@pytest.mark.filterwarnings("ignore")  # Pillow warns of damaged EXIF data
@pytest.mark.parametrize("channels", [1, 3])
def test_damaged_images_are_read_or_left_out(channels, tmp_path, caplog):
    rng = np.random.default_rng(channels)
    known = Image.registered_extensions()
    endings = [ending for ending in FORMATS if f".{ending.split('.')[-1]}" in known]
    for i in range(NUMBER // 2):
        ending = str(rng.choice(endings))
        content = DAMAGE[i % len(DAMAGE)](rng, whole(rng, ending))
        other = str(rng.choice(sampler.ENDINGS))
        name = other if rng.random() < 0.2 else f".{ending}"
        (tmp_path / f"{i:03}{name}").write_bytes(content)
    gc.collect()
    reset()
    reasons, before = {}, sampler.peak_mib()
    for path in sorted(tmp_path.iterdir()):
        start = time.monotonic()
        try:
            read = images.read(str(path), 32, channels)
            assert read.shape == (32, 32, channels) and read.dtype == np.uint8
        except OSError as error:
            reasons[path.name] = str(error)
        assert time.monotonic() - start < SECONDS, path.name
    assert 30 < len(reasons) < 120  # both kinds are tried
    assert all(0 < len(why) < 200 and "\n" not in why for why in reasons.values())
    for cache_mib in (64, 0):
        options = DataOptions(
            *(f"folder:{tmp_path}", 8),
            image_size=32,
            channels=channels,
            cache_mib=cache_mib,
        )
        source = data.open_source(options)
        number = sum(len(chunk) for chunk, _ in source.chunks(16))
        assert number == NUMBER // 2 - len(reasons)
        assert all(len(note) < 500 for note in source.notes)
    assert sampler.peak_mib() - before < MEBIBYTES
    assert all(len(record.getMessage()) < 2000 for record in caplog.records)
