"""Image files: every format and mode gives the pixels that a viewer shows."""

import io
import os
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, features

from keras_gans import provenance
from keras_gans.data import folder, images, survey
from keras_gans.device import sampler

RAMP = np.tile(np.linspace(0, 255, 16).round().astype(np.uint8), (16, 1))
SRGB = ImageCms.createProfile("sRGB")


def png(deep, bits, kind, extra=b"", side=None):
    """Write a PNG by hand: rows of bytes, bits a sample, color type, more chunks."""

    def chunk(name, data):
        check = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)

    width, height = side or (16, len(deep))
    head = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + row for row in deep))
    parts = chunk(b"IHDR", head) + extra + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def clear(*values):
    """Return a tRNS chunk."""
    data = struct.pack(f">{len(values)}H", *values)
    check = struct.pack(">I", zlib.crc32(b"tRNS" + data))
    return struct.pack(">I", len(data)) + b"tRNS" + data + check


def swapped():
    """Return the sRGB profile with red and blue exchanged, under another name."""
    data = ImageCms.ImageCmsProfile(SRGB).tobytes()
    data = data.replace("sRGB".encode("utf-16-be"), "xyzw".encode("utf-16-be"))
    data = data.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ")
    return data.replace(b"????", b"bXYZ")


def linear_gray():
    """Return a profile of gray values that are proportional to light."""
    tags = {
        b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061),
        b"kTRC": b"curv\0\0\0\0\0\0\0\0",
        b"desc": b"desc\0\0\0\0\0\0\0\2g\0" + bytes(78),
    }
    offset, table, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">2I", offset + len(body), len(data))
        body += data
    head = struct.pack(
        ">I4xI4s4s4s", offset + len(body), 0x02100000, b"mntr", b"GRAY", b"XYZ "
    )
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp")
    head += bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def lab(gray):
    """Return an image in CIELAB."""
    to_lab = ImageCms.buildTransform(SRGB, ImageCms.createProfile("LAB"), "RGB", "LAB")
    return to_lab.apply(gray.convert("RGB"))


def marked(gray):
    """Return an image whose last quarter is transparent."""
    result = gray.convert("LA")
    alpha = np.full(RAMP.shape, 255, np.uint8)
    alpha[:, 12:] = 0
    result.putalpha(Image.fromarray(alpha))
    return result


WIDE = RAMP.astype(np.uint16) * 257
WHITE = np.where(np.arange(16) < 12, RAMP, 255)
# Name of the file, function that makes the image (from grayscale) or the file's bytes,
# expected gray values, largest difference.
FILES = {
    "plain.png": (lambda g: g, RAMP, 0),
    "UPPER.PNG": (lambda g: g, RAMP, 0),
    "a.bmp": (lambda g: g.convert("RGB"), RAMP, 0),
    "a.dib": (lambda g: g, RAMP, 0),
    "a.gif": (lambda g: g, RAMP, 0),
    "a.tif": (lambda g: g, RAMP, 0),
    "a.tiff": (lambda g: g.convert("CMYK"), RAMP, 1),
    "a.pgm": (lambda g: g, RAMP, 0),
    "a.ppm": (lambda g: g.convert("RGB"), RAMP, 0),
    "a.tga": (lambda g: g, RAMP, 0),
    "a.jfif": (lambda g: g, RAMP, 4),
    "a.jpe": (lambda g: g.convert("RGB"), RAMP, 4),
    "cmyk.jpg": (lambda g: g.convert("CMYK"), RAMP, 4),
    "palette.png": (lambda g: g.convert("P"), RAMP, 0),
    "two.png": (
        lambda g: g.point(lambda v: 255 * (v > 127), "1"),
        (RAMP > 127) * 255,
        0,
    ),
    "two.tif": (
        lambda g: g.point(lambda v: 255 * (v > 127), "1"),
        (RAMP > 127) * 255,
        0,
    ),
    "alpha.png": (marked, WHITE, 0),
    "alpha.tif": (marked, WHITE, 0),
    "rgba.png": (lambda g: marked(g).convert("RGBA"), WHITE, 0),
    "lab.tif": (lab, RAMP, 2),
    "deep.tif": (lambda g: Image.fromarray(WIDE), RAMP, 0),
    "deep.png": (lambda g: Image.fromarray(WIDE), RAMP, 0),
    "int.tif": (lambda g: Image.fromarray(RAMP.astype(np.int32)), RAMP, 0),
    "int16.tif": (lambda g: Image.fromarray(WIDE.astype(np.int32)), RAMP, 0),
    "float.tif": (lambda g: Image.fromarray(RAMP / np.float32(255)), RAMP, 0),
    "float255.tif": (lambda g: Image.fromarray(RAMP.astype(np.float32)), RAMP, 0),
    "named.jpg": (lambda g: sampler.encode(RAMP[..., None]), RAMP, 0),  # a PNG
    "gray16.png": (
        lambda g: png(
            [row.astype(">u2").tobytes() for row in WIDE], 16, 0, clear(65535)
        ),
        RAMP,
        0,
    ),
    "middle16.png": (
        lambda g: png(
            [row.astype(">u2").tobytes() for row in WIDE], 16, 0, clear(17 * 257)
        ),
        np.where(RAMP == 17, 255, RAMP),
        0,
    ),
    "rgb16.png": (
        lambda g: png(
            [row.repeat(3).astype(">u2").tobytes() for row in WIDE],
            *(16, 2, clear(*[17 * 257] * 3)),
        ),
        np.where(RAMP == 17, 255, RAMP),
        0,
    ),
    "gray4.png": (
        lambda g: png([bytes(range(1, 256, 34))] * 16, 4, 0, clear(1)),
        np.where(RAMP == 17, 255, RAMP),
        0,
    ),
    "gray2.png": (
        lambda g: png([b"\x1b\x1b\x1b\x1b"] * 16, 2, 0, clear(1)),
        np.tile(np.array([0, 255, 170, 255]), (16, 4)),
        0,
    ),
    "gray8.png": (
        lambda g: png([row.tobytes() for row in RAMP], 8, 0, clear(17)),
        np.where(RAMP == 17, 255, RAMP),
        0,
    ),
    "a.jp2": (lambda g: g, RAMP, 1),
    "a.webp": (lambda g: g.convert("RGB"), RAMP, 8),
    "a.avif": (lambda g: g.convert("RGB"), RAMP, 8),
}


@pytest.mark.parametrize("name", FILES)
def test_files_are_read_as_a_viewer_shows_them(name, tmp_path):
    if name.endswith(".avif") and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    make, expected, apart = FILES[name]
    made, path = make(Image.fromarray(RAMP)), tmp_path / name
    if isinstance(made, bytes):
        path.write_bytes(made)
    elif name.endswith((".jfif", ".jpe", ".jpg")):
        made.save(path, "JPEG", quality=95)
    else:
        made.save(path)
    assert folder.list_images(str(tmp_path)).paths == [str(path)]
    for channels in (1, 3):
        read = images.read(str(path), 16, channels)
        np.testing.assert_array_equal(read, sampler.read(str(path), channels))
        difference = np.abs(read.astype(int) - np.asarray(expected)[..., None])
        assert difference.max() <= apart, (name, read[0, :, 0])


PROFILES = {
    "swapped": ("RGB", (200, 60, 20), swapped(), (20, 60, 200)),
    "with alpha": ("RGBA", (200, 60, 20, 255), swapped(), (20, 60, 200)),
    "palette": ("P", (200, 60, 20), swapped(), (20, 60, 200)),
    "sRGB": (
        "RGB",
        (200, 60, 20),
        ImageCms.ImageCmsProfile(SRGB).tobytes(),
        (200, 60, 20),
    ),
    "damaged": ("RGB", (200, 60, 20), swapped()[:200], (200, 60, 20)),
    "no profile": ("RGB", (200, 60, 20), b"something else", (200, 60, 20)),
    "other mode": ("RGB", (200, 60, 20), linear_gray(), (200, 60, 20)),
    "rgb for gray": ("L", 64, swapped(), (64, 64, 64)),
    "rgb for cmyk": ("CMYK", (0, 255, 255, 0), swapped(), (255, 0, 0)),
    "gray": ("L", 64, linear_gray(), (137, 137, 137)),
}


@pytest.mark.parametrize("name", PROFILES)
def test_color_profiles_are_converted_to_srgb(name, tmp_path):
    mode, color, profile, expected = PROFILES[name]
    if mode == "P":
        image = Image.new("RGB", (8, 8), color).convert(
            "P", palette=Image.Palette.ADAPTIVE
        )
    else:
        image = Image.new(mode, (8, 8), color)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    image.save(path, icc_profile=profile)
    read = images.read(str(path), 8, 3)
    assert np.abs(read.reshape(-1, 3).astype(int) - expected).max() <= 2


def cut(kind):
    """Return the first half of an image file."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(buffer, kind)
    return buffer.getvalue()[: buffer.tell() // 2]


def as_tiff(values):
    """Return an array as a TIFF file."""
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "TIFF")
    return buffer.getvalue()


DAMAGED = {
    "empty.png": (b"", "empty file"),
    "page.jpg": (b"\n<!DOCTYPE html><html>", "text, such as HTML"),
    "error.webp": (b'{"error": 404}', "text, such as HTML"),
    "words.png": (b"not an image at all", "not an image"),
    "half.png": (cut("PNG"), "truncated or damaged"),
    "half.jpg": (cut("JPEG"), "truncated or damaged"),
    "half.bmp": (cut("BMP"), "truncated or damaged"),
    "phone.jpg": (
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        "needs the package pillow-heif",
    ),
    "script.png": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "not an image",
    ),
    "negative.tif": (as_tiff(np.array([[-1.0, 2.0]], np.float32)), "-1 to 2"),
    "nan.tif": (as_tiff(np.array([[np.nan, 0.5]], np.float32)), "nan"),
    "huge.tif": (as_tiff(np.array([[0, 2**20]], np.int32)), "0 to 1.049e+06"),
    "bomb.png": (png([b""], 8, 6, side=(13000, 13000)), "644 MiB, more than the limit"),
    "wide.png": (png([b""], 8, 2, side=(2**31 - 1, 2**31 - 1)), "more than the limit"),
    "short.gif": (b"GIF89a\x10\0", "not an image"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_files_that_cannot_be_read_have_a_reason(name, tmp_path):
    content, reason = DAMAGED[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(OSError) as error:
        images.read(str(path), 64, 3)
    assert reason in str(error.value) and str(tmp_path) not in str(error.value)
    assert len(str(error.value)) < 150 and "\n" not in str(error.value)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "webp"])
def test_measured_size_is_the_size_as_read(kind, orientation, tmp_path):
    exif, path = Image.Exif(), str(tmp_path / f"a.{kind}")
    exif[0x0112] = orientation
    Image.new("RGB", (30, 20), "red").save(path, exif=exif)
    height, width, _ = sampler.read(path, 3).shape
    assert survey.measure([path]) == [(width, height)]
    assert (width, height) == ((20, 30) if orientation > 4 else (30, 20))


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "CMYK"])
def test_a_very_large_image_is_reduced_in_strips(
    mode, orientation, tmp_path, monkeypatch
):
    rows, columns = np.mgrid[:420, :280]
    smooth = (128 + 60 * np.sin(rows / 40) + 60 * np.cos(columns / 30)).astype(np.uint8)
    image = Image.fromarray(smooth)
    image = image.convert(mode) if mode != "P" else image.quantize(64)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = str(tmp_path / ("a.tif" if mode == "CMYK" else "a.png"))
    image.save(path, exif=exif)
    whole = images.read(path, 20, 3).astype(int)
    monkeypatch.setattr(sampler, "LARGE", 2**12)
    strips = images.read(path, 20, 3).astype(int)
    assert np.abs(whole - strips).max() <= (24 if mode == "1" else 4)


@pytest.mark.second
@pytest.mark.parametrize("side", [10_000, 14_000])
def test_a_scan_of_many_megapixels_is_read_without_a_warning(side, tmp_path):
    scan = Image.new("1", (side, side))
    scan.paste(1, (0, 0, side // 2, side))
    scan.save(tmp_path / "scan.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = images.read(str(tmp_path / "scan.png"), 32, 1)[..., 0]
    assert (read[:, :12] == 255).all() and (read[:, 20:] == 0).all()


def test_threads_share_the_memory_of_decoding():
    room, held, most = images._Room(100), [], []

    def work(size):
        with room.taken(size):
            held.append(size)
            most.append(sum(held))
            held.remove(size)

    threads = [threading.Thread(target=work, args=[n]) for n in [60, 50, 100, 7] * 8]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(most) == 32 and max(most) <= 100
    with pytest.raises(OSError), room.taken(100):
        raise OSError
    with room.taken(100):  # an error gives the memory back
        pass


def test_twelve_bits_in_sixteen_are_noted(tmp_path):
    def note(*values):
        for i, value in enumerate(values):
            Image.fromarray(np.full((8, 8), value, np.uint16)).save(
                tmp_path / f"{i}.png"
            )
        paths = folder.list_images(str(tmp_path)).paths
        return [
            n for n in survey.choose(paths).notes if "multiply the values by 16" in n
        ]

    assert note(0, 4095) and not note(0, 4096)
    Image.new("L", (8, 8)).save(tmp_path / "0.png")
    Image.fromarray(np.full((8, 8), 9, np.uint16)).save(tmp_path / "1.png")
    assert not survey.choose(folder.list_images(str(tmp_path)).paths).notes[2:]


def text(words):
    """Return a PNG's text chunk in which this package records the origin."""
    data = sampler.ABOUT_KEY.encode() + b"\0" + words.encode()
    check = struct.pack(">I", zlib.crc32(b"tEXt" + data))
    return struct.pack(">I", len(data)) + b"tEXt" + data + check


ORIGINS = {
    "a list": png([b"\0"], 8, 0, text("[1, 2]"), (1, 1)),
    "no JSON": png([b"\0"], 8, 0, text("{"), (1, 1)),
    "deep": png([b"\0"], 8, 0, text("[" * 100_000), (1, 1)),
    "a number": png([b"\0"], 8, 0, text("7"), (1, 1)),
    "no text": png([b"\0"], 8, 0, b"", (1, 1)),
    "a bomb": png([b"\0"], 8, 6, b"", (60_000, 60_000)),
    "empty": b"",
}


@pytest.mark.parametrize("kind", ORIGINS)
def test_odd_origins_are_one_line(kind, tmp_path, capsys):
    """An odd file ends `provenance` with a line, and is not overwritten by samples."""
    path = tmp_path / "a.png"
    path.write_bytes(ORIGINS[kind])
    assert provenance.main([str(path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("provenance: ") and err.count("\n") == 1
    about = kind in ("a list", "no JSON", "deep", "a number")
    assert sampler._is_ours(str(path)) == about


def test_pipes_are_not_opened(tmp_path):
    """Reading a pipe would wait for its writer."""
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(OSError, match="not a file"):
        images.read(str(tmp_path / "x.png"), 8, 3)
