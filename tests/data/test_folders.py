"""Folders as people have them: layouts, names, links, damage, and what is said."""

import os
import sys
import unicodedata

import numpy as np
import pytest
from PIL import Image

from keras_gans import data
from keras_gans.data.options import DataOptions
from keras_gans.errors import UserError

RNG = np.random.default_rng(0)
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="names and links")


def put(root, names, side=(16, 16)):
    """Write images of noise; names that end in "!" become text files."""
    for name in names.split(";" if ";" in names else None):
        path = root / name.rstrip("!")
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("!"):
            path.write_text("not an image")
        else:
            pixels = RNG.integers(0, 256, (*side[::-1], 3), np.uint8)
            Image.fromarray(pixels).save(path, "PNG")


def link(root, name, target):
    (root / name).symlink_to(target, target_is_directory=True)


def many(root):
    put(root, " ".join(f"{i}.png!" for i in range(300)) + " a.png b.png")


# Name: (files, or a function that writes them; images; classes; words of the notes).
LAYOUTS = {
    "flat": ("1.png 2.png", 2, (), ["2 images; sizes 16x16 pixels"]),
    "classes": ("a/1.png b/1.png b/2.png", 3, ("a", "b"), ["2 classes: a, b"]),
    "one sub-folder": ("a/1.png a/2.png", 2, (), ["2 images; sizes"]),
    "a wrapper": (
        *("set/a/1.png set/b/1.png", 2, ()),
        ["no classes: all images are in the sub-folder 'set'", "for its 2 sub-folders"],
    ),
    "alphabets": (
        *("greek/x/1.png greek/y/1.png latin/x/1.png", 3, ("greek", "latin")),
        ["the 3 folders inside them are not classes"],
    ),
    "numbers": (
        " ".join(f"{i}/a.png" for i in range(1, 13)),
        *(12, tuple(map(str, range(1, 13)))),
        ["12 classes: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more"],
    ),
    "padded numbers": ("01/a.png 10/a.png 2/a.png", 3, ("01", "2", "10"), []),
    "numbers and words": ("10/a.png 9/a.png x/a.png", 3, ("10", "9", "x"), []),
    "years": ("1999/a.png 2001/a.png 2000/a.png", 3, ("1999", "2000", "2001"), []),
    "train is a class": (
        "bus/1.png car/1.png train/1.png",
        3,
        ("bus", "car", "train"),
        [],
    ),
    "test tubes": ("test tubes/1.png;trains/2.png", 2, ("test tubes", "trains"), []),
    "other files": (
        *("1.png 2.PNG notes.txt! labels.csv! more.txt! README!", 2, ()),
        ["left out: files without an ending (1), .csv (1), .txt (2)"],
    ),
    "a mac": (
        *("1.png __MACOSX/._1.png! ._1.png! .DS_Store! .trash/2.png", 1, ()),
        ["hidden folders (2)", "hidden files (1)"],
    ),
    "a disk station": (
        *("a/1.png a/@eaDir/1.png/SYNO.png b/2.png", 2, ("a", "b")),
        ["hidden folders (1)"],
    ),
    "windows": ("1.png Thumbs.db! desktop.ini! .thumbnails/1.png", 1, (), ["hidden"]),
    "link to the parent": (
        lambda r: (put(r, "a/1.png a/2.png b/1.png"), link(r, "a/up", "..")),
        *(3, ("a", "b")),
        ["links to folders that are read already (1)"],
    ),
    "link to itself": (
        lambda r: (put(r, "1.png"), link(r, "me", ".")),
        *(1, ()),
        ["links to folders that are read already (1)"],
    ),
    "links to each other": (
        lambda r: (
            put(r, "a/1.png b/1.png"),
            link(r, "a/x", "../b"),
            link(r, "b/y", "../a"),
        ),
        *(2, ("a", "b")),
        ["links to folders that are read already (2)"],
    ),
    "link to the root of all": (
        lambda r: (put(r, "1.png"), link(r, "all", "/")),
        *(1, ()),
        ["links to folders that are read already (1)"],
    ),
    "links outside": (
        lambda r: (
            put(r.parent, "else/1.png"),
            put(r, "a/1.png"),
            link(r, "b", "../else"),
            link(r, "c", "../else"),
        ),
        *(2, ("a", "b")),
        ["links to folders that are read already (1)"],
    ),
    "broken link": (
        lambda r: (put(r, "1.png"), (r / "2.png").symlink_to("none")),
        *(1, ()),
        ["broken links or pipes (1)"],
    ),
    "pipe": (
        lambda r: (put(r, "1.png"), os.mkfifo(r / "2.png")),
        *(1, ()),
        ["broken links or pipes (1)"],
    ),
    "damaged": ("1.png 2.png! 3.png", 2, (), ["2 images", "unreadable files (1)"]),
    "many damaged": (many, 2, (), ["unreadable files (300)", "left out"]),
    "not utf-8": (
        lambda r: (
            put(r, "tea/1.png cafe/1.png"),
            os.rename(r / "cafe", os.fsencode(r) + b"/caf\xe9"),
        ),
        *(2, ("caf\ufffd", "tea")),
        ["2 classes: caf\ufffd, tea"],
    ),
    "file not utf-8": (
        lambda r: (
            put(r, "1.png"),
            os.rename(r / "1.png", os.fsencode(r) + b"/\xe9.png"),
        ),
        *(1, ()),
        [],
    ),
    "several sizes": (
        lambda r: (put(r, "1.png 2.png"), put(r, "3.png", (40, 20))),
        *(3, ()),
        ["sizes 16x16 to 40x20 pixels"],
    ),
}


@pytest.mark.parametrize("cache_mib", [64, 0], ids=["cached", "streamed"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_are_read_and_described(name, cache_mib, tmp_path, caplog):
    files, number, classes, words = LAYOUTS[name]
    root = tmp_path / "made"
    root.mkdir()
    put(root, files) if isinstance(files, str) else files(root)
    options = DataOptions(f"folder:{root}", 1, image_size=16, cache_mib=cache_mib)
    source = data.open_source(options)
    assert (source.info.num_examples, source.info.class_names) == (number, classes)
    assert source.notes[0].startswith(f"{number} images")
    text = "\n".join(source.notes)
    assert all(word in text for word in words), text
    assert all(len(note) < 500 for note in source.notes)
    assert all(len(record.getMessage()) < 1000 for record in caplog.records)
    "\n".join(source.notes).encode()
    images, labels = (np.concatenate(p) for p in zip(*source.chunks(9), strict=True))
    assert len(images) == number and set(labels) == set(range(len(classes) or 1))


# Name: (files, kind of data, words of the error).
REFUSED = {
    "splits": (
        *("train/a/1.png train/b/1.png val/a/1.png test/a/1.png", "folder:{}"),
        ["holds splits (train, val, test)", "use folder:{}/train", "=folder:{}/test"],
    ),
    "splits of kaggle": (
        *("test_set/a/1.png training_set/a/1.png", "folder:{}"),
        ["use folder:{}/training_set", "--reference=folder:{}/test_set"],
    ),
    "splits of coco": ("train2017/1.png val2017/1.png", "folder:{}", ["{}/train2017"]),
    "splits in capitals": ("Train/1.png Valid/1.png", "folder:{}", ["{}/Train"]),
    "validation": ("training/1.png validation/1.png", "folder:{}", ["{}/training"]),
    "splits of two kinds": (
        *("trainA/1.png trainB/1.png testA/1.png testB/1.png", "folder:{}"),
        ["use unpaired:{}/trainA,{}/trainB"],
    ),
    "splits in classes": (
        *("cats/train/1.png cats/test/1.png dogs/train/1.png", "folder:{}"),
        ["'{}/cats' holds splits (train, test)", "folder:{}/train"],
    ),
    "splits of halves": (
        *("train/1.png val/1.png test/1.png", "pairs:{}"),
        ["use pairs:{}/train, and --reference=pairs:{}/test"],
    ),
    "splits of pairs": (
        *("A/train/1.png A/test/1.png B/train/1.png B/test/1.png", "pairs:{}/A,{}/B"),
        ["use one of them, such as {}/A/train"],
    ),
    "class without an image": (
        *("a/1.png b/1.png! b/2.png! c/1.png", "folder:{}"),
        ["class 'b'", "none of its 2 files can be read (1.png: not an image)"],
    ),
    "no image": (
        "a.png! b.png!",
        "folder:{}",
        ["none of the 2 images", "not an image"],
    ),
    "no image file": (
        *("a.txt! b.dcm! c.psd!", "folder:{}"),
        ["no images in '{}'", ".dcm (1)", ".psd (1)", ".txt (1)"],
    ),
    "only hidden": (".a/1.png", "folder:{}", ["no images in", "hidden folders (1)"]),
    "images beside classes": ("1.png a/1.png", "folder:{}", ["beside its sub-folders"]),
    "single images": (
        "1.png 2.png",
        "pairs:{}",
        ["side by side", "16x16", "pairs:A,B"],
    ),
    "parent of two folders": (
        *("photos/1.png sketches/1.png", "pairs:{}"),
        ["use pairs:{}/photos,{}/sketches"],
    ),
    "other names": (
        *("A/1_photo.png B/1_map.png", "pairs:{}/A,{}/B"),
        ["equal names", "the first are '1_photo' and '1_map'"],
    ),
    "equal names": (
        "A/1.png A/1.jpg B/1.png",
        "pairs:{}/A,{}/B",
        ["have the same name"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_layouts_that_are_refused_with_advice(name, tmp_path):
    files, kind, words = REFUSED[name]
    put(tmp_path, files)
    with pytest.raises(UserError) as error:
        data.open_source(
            DataOptions(kind.replace("{}", str(tmp_path)), 1, image_size=16)
        )
    message = str(error.value).replace(str(tmp_path), "{}")
    assert all(word in message for word in words), message
    assert "\n" not in message and len(message) < 500


def test_a_class_name_in_two_unicode_forms_is_refused(tmp_path):
    for form in ("NFC", "NFD"):
        put(tmp_path, unicodedata.normalize(form, "caf\u00e9/1.png"))
    with pytest.raises(UserError, match="2 sub-folders of .* have the same name"):
        data.open_source(DataOptions(f"folder:{tmp_path}", 1))


def test_a_path_that_is_not_utf_8_is_refused():
    with pytest.raises(UserError, match="expected a name in UTF-8, got 'folder:caf.'"):
        DataOptions(os.fsdecode(b"folder:caf\xe9"), 1)


NFC, NFD = (
    unicodedata.normalize(form, "\u00fc\u00e9\u00f1") for form in ("NFC", "NFD")
)
# Names in A, names in B, number of pairs, names that are left out.
PAIRS = {
    "equal": ("1.png 2.png", "1.png 2.png", 2, []),
    "endings": ("1.png 2.JPG", "1.bmp 2.tif", 2, []),
    "unicode": (f"{NFC}.png x.png", f"{NFD}.png x.png", 2, []),
    "unicode the other way": (f"{NFD}.png", f"{NFC}.png", 1, []),
    "unicode folders": (f"{NFC}/1.png", f"{NFD}/1.png", 1, []),
    "case": ("IMG_1.PNG img_2.png", "img_1.png IMG_2.png", 2, []),
    "case and unicode": (f"{NFC.upper()}.png", f"{NFD}.png", 1, []),
    "ambiguous case": ("a.png A.png b.png", "a.PNG b.png", 2, ["A.png"]),
    "twice ambiguous": ("a.png A.png 1.png", "Ab.png aB.png 1.png", 1, ["A.png"]),
    "no partner": ("1.png 2.png 3.png", "1.png 4.png", 1, ["2.png", "3.png", "4.png"]),
    "many without": (
        "1.png " + " ".join(f"x{i}.png" for i in range(99)),
        *("1.png", 1, ["x0.png", "and 89 more"]),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_go_by_names_in_one_form(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # short paths
    a, b, number, alone = PAIRS[name]
    put(tmp_path / "A", a)
    put(tmp_path / "B", b)
    source = data.open_source(DataOptions("pairs:A,B", 1, image_size=16))
    assert source.info.num_examples == number
    assert source.notes[0].startswith(f"{number} pairs; sizes 16x16")
    [*note] = [n for n in source.notes if "no partner" in n]
    assert len(note) == bool(alone)
    assert all(word in note[0] for word in alone)


def test_a_damaged_partner_leaves_out_the_pair(tmp_path, caplog):
    put(tmp_path, "A/1.png! A/2.png B/1.png B/2.png")
    options = DataOptions(f"pairs:{tmp_path}/A,{tmp_path}/B", 1, image_size=16)
    assert data.open_source(options).info.num_examples == 1
    assert "B/1.png (1.png: not an image)" in caplog.text


def test_batch_size_goes_by_readable_images(tmp_path):
    put(tmp_path, " ".join(f"{i}.png{'!' * (i > 20)}" for i in range(600)))
    source = data.open_source(DataOptions(f"folder:{tmp_path}", 0))
    assert source.options.batch_size == 8
    assert any("chosen for 21 images of 16 pixels" in note for note in source.notes)


def test_older_runs_keep_the_order_of_their_classes(tmp_path):
    put(tmp_path, " ".join(f"{i}/a.png" for i in range(1, 13)))
    for options in ({}, {"cache_mib": 0}, {"held_out": 3}):
        made = DataOptions(f"folder:{tmp_path}", 1, image_size=16, **options)
        source, old = data.open_source(made), tuple(sorted(map(str, range(1, 13))))
        parts = [part for part in (source, source.held_out) if part]
        before = [[part.info.class_names[k] for k in part.labels] for part in parts]
        data.keep_class_order(source, old)
        assert all(part.info.class_names == old for part in parts)
        assert before == [[old[k] for k in part.labels] for part in parts]
        data.keep_class_order(source, ("other", "names"))
        assert source.info.class_names == old
