"""The evaluate command: its metrics, its files and its error messages."""

import dataclasses
import gzip
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image, ImageFilter

from harness import SHARED_DATA
from keras_gans import data, evaluate, train
from keras_gans.device import sampler as sampler_lib
from keras_gans.evaluation import compare as compare_lib
from keras_gans.evaluation import feature_cache, features
from keras_gans.evaluation.collect import changes, collect
from keras_gans.evaluation.compare import compare
from keras_gans.evaluation.metrics.prdc import prdc as prdc_of
from keras_gans.evaluation.streams import DataPictures, SampledPictures
from keras_gans.export.__main__ import main as main_of_export
from keras_gans.sampling import load
from keras_gans.training import kid_monitor


def fails(capsys, *args):
    """Run the command, which must exit with status 2; return its single error line."""
    capsys.readouterr()
    assert evaluate.main(list(args)) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1 and "Traceback" not in err, err
    return err


def embedded(name):
    return data.open_source(data.DataOptions(name, batch_size=1))


def write_pictures(folder, pictures, start=0):
    folder.mkdir(parents=True, exist_ok=True)
    for i, picture in enumerate(pictures, start):
        (folder / f"{i:05d}.png").write_bytes(sampler_lib.encode(picture))


def result_in(folder):
    [path] = folder.glob("*.json")
    [sheet] = folder.glob("*_nearest.png")
    assert sheet.name.startswith(path.stem)
    return json.loads(path.read_text()), np.asarray(Image.open(sheet))


@pytest.fixture(scope="module")
def fashion():
    """(network, 5,000 real images in random order, their features)."""
    pictures = embedded("fashion").images
    pictures = pictures[np.random.default_rng(0).permutation(5000)]
    network = features.open_network("classifier:fashion")
    return network, pictures, network(pictures)[0]


def memorisation(samples, train, held_out):
    """Measure copies among features, without shifted or mirrored images."""
    stats = [
        x if x is None else SimpleNamespace(features=x, changed=x[:0], changed_rows=())
        for x in (samples, held_out)
    ]
    return compare_lib.memorisation(stats[0], train, stats[1])


def noisy(pictures, amount):
    noise = np.random.default_rng(1).normal(0, amount, pictures.shape)
    return np.clip(pictures + noise, 0, 255).astype(np.uint8)


def blurred(pictures, radius):
    blur = ImageFilter.GaussianBlur(radius)
    return np.stack(
        [np.asarray(Image.fromarray(p[..., 0]).filter(blur)) for p in pictures]
    )[..., None]


@pytest.mark.second
@pytest.mark.parametrize(
    "spoil, amounts", [(noisy, (10, 25, 60)), (blurred, (0.6, 1.2, 2.5))]
)
def test_measures_rank_growing_noise_and_blur(spoil, amounts, fashion, monkeypatch):
    monkeypatch.setattr(compare_lib, "SUBSETS", 10)
    network, pictures, found = fashion
    real = found[:800]
    rows = [compare(real, found[800:1600])]
    for amount in amounts:
        rows.append(compare(real, network(spoil(pictures[800:1600], amount))[0]))
    for key, sign in (("kid", 1), ("frechet_distance", 1), ("coverage", -1)):
        values = [row[key]["mean"] if key == "kid" else row[key] for row in rows]
        assert (np.diff(values) * sign > 0).all(), (key, values)
    # KID of real against real images is 0 within the spread of its subsets. A subset
    # holds half of the images.
    kid = rows[0]["kid"]
    assert abs(kid["mean"]) < 2 * kid["standard_deviation"]
    assert kid["subset_size"] == 400


def test_kid_of_real_features_is_0_within_two_standard_errors(fashion):
    from keras_gans.evaluation.metrics.kid import mmd2

    _, _, found = fashion
    values = [mmd2(*half) for half in found.reshape(25, 2, 100, -1)]
    assert abs(np.mean(values)) < 2 * np.std(values, ddof=1) / 5


def test_copies_are_seen_and_fresh_pictures_are_not(fashion):
    _, _, found = fashion
    train, fresh, others = found[:2500], found[2500:3700], found[3700:]
    own, held_out, pairs = memorisation(train[::2], train, fresh)
    assert own["authenticity"] == 0 and own["suspicious"] == 1
    assert own["nearest_distance"] == 0
    assert [train_number for _, train_number in pairs] == [2 * s for s, _ in pairs]
    assert held_out["authenticity"] == pytest.approx(0.55, abs=0.1)
    own, _, _ = memorisation(others, train, fresh)
    assert own["authenticity"] == pytest.approx(0.55, abs=0.1)
    assert own["suspicious"] < 0.03
    mixed = np.concatenate([others[:900], train[:100]])
    own, _, pairs = memorisation(mixed, train, fresh)
    assert 0.09 < own["suspicious"] < 0.14
    assert min(sample_number for sample_number, _ in pairs) >= 900
    own, nothing, _ = memorisation(others, train, None)
    assert not nothing and "suspicious" not in own


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x[:, :, ::-1],
        lambda x: np.roll(x, 1, axis=1),
        lambda x: np.roll(x, (-1, 1), axis=(1, 2)),
    ],
    ids=["mirrored", "shifted down", "shifted up and right"],
)
def test_copies_that_were_changed_are_seen(change, fashion):
    """Features hardly tell mirrored training images from fresh images."""
    network, pictures, found = fashion
    train, fresh = found[:2500], found[2500:3000]

    def looked_at(images):
        forms = changes(images)
        features = network(forms.reshape(-1, *images.shape[1:]))[0]
        return features.reshape(len(images), 9, -1)

    def stats(found, images):
        return SimpleNamespace(
            features=found,
            changed=looked_at(images),
            changed_rows=np.arange(len(found)),
        )

    others = stats(fresh, pictures[2500:3000])
    copies = change(pictures[:300])
    copies = stats(network(copies)[0], copies)
    own, held_out, pairs = compare_lib.memorisation(copies, train, others)
    # A shift loses a row of clothes that touch the edge, so that not all are seen.
    assert own["suspicious"] < 0.2 < 0.7 < own["suspicious_if_changed"]
    assert held_out["suspicious_if_changed"] == pytest.approx(0.01)
    assert all(sample == training for sample, training in pairs)
    fakes = stats(found[3000:3300], pictures[3000:3300])
    own, _, _ = compare_lib.memorisation(fakes, train, others)
    assert own["suspicious_if_changed"] < 0.04


@pytest.mark.skipif(
    not (SHARED_DATA / "mnist").is_dir(), reason="MNIST's files are not at hand"
)
def test_real_test_digits_are_authentic_beside_the_embedded_ones():
    path = SHARED_DATA / "mnist" / "t10k-images-idx3-ubyte.gz"
    with gzip.open(path) as file:
        fresh = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28, 1)
    network = features.open_network("classifier:digits")
    train = network(embedded("digits").images)[0]
    own, held_out, _ = memorisation(train[::5], train, network(fresh[::5])[0])
    assert own["authenticity"] == 0
    assert held_out["authenticity"] == pytest.approx(0.57, abs=0.08)


def test_samples_come_in_small_chunks(smoke_run, monkeypatch):
    """The chunks are small for any number of samples and equal those of `sample`."""
    sampler = load.load(str(smoke_run("cgan") / "export" / "generator.tflite"))
    expected = sampler.sample(150, seed=3)
    sizes, generate = [], sampler.generate
    monkeypatch.setattr(
        sampler, "generate", lambda z, *rest: sizes.append(len(z)) or generate(z, *rest)
    )
    pictures = SampledPictures(sampler, 150, seed=3)
    chunks = list(pictures.chunks())
    assert max(sizes) == sampler.at_once == 64 and sum(sizes) == 150
    np.testing.assert_array_equal(np.concatenate([c for c, _ in chunks]), expected)
    labels = np.concatenate([labels for _, labels in chunks])
    np.testing.assert_array_equal(labels, np.arange(150) % 10)
    picked = pictures.pick([149, 7]).astype(int)
    assert np.abs(picked - expected[[149, 7]]).max() <= 1


def test_memory_does_not_grow_with_the_pictures():
    """Memory grows with the features only: 128 of 4 bytes for each image."""
    import tracemalloc

    network = features.open_network("classifier:digits")
    digits = embedded("digits")

    def peak(num):
        tracemalloc.start()
        stream = DataPictures(digits, "digits", num)
        found = collect(stream, network, by_class=False, with_changes=False)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most - found.features.nbytes

    peak(500)  # one-time allocations of the first call
    assert peak(5000) < peak(1000) + 200_000  # 4,000 images have 3,136,000 bytes


@pytest.mark.parametrize("cache_mib", [0, 1024])
def test_chunks_hold_each_picture_once(cache_mib, pictures):
    (pictures / "cats" / "x.png").write_text("corrupt")
    options = data.DataOptions(f"folder:{pictures}", 1, image_size=8, channels=3)
    source = data.open_source(dataclasses.replace(options, cache_mib=cache_mib))
    found = list(source.chunks(2))
    assert all(0 < len(p) <= 2 and p.dtype == np.uint8 for p, _ in found)
    assert np.concatenate([labels for _, labels in found]).tolist() == [0, 0, 0, 1, 1]
    every = np.concatenate([p for p, _ in found])
    cached = data.open_source(options)
    np.testing.assert_array_equal(every, cached.images)


def test_chunks_of_tfds():
    with tfds.testing.mock_data(num_examples=23):
        options = data.DataOptions("tfds:mnist", 1, image_size=8, cache_mib=0)
        chunks = list(data.open_source(options).chunks(10))
    assert [len(p) for p, _ in chunks] == [10, 10, 3]
    assert chunks[0][0].shape == (10, 8, 8, 1) and chunks[0][1].dtype == np.int32


def test_run_is_measured_against_its_own_data(smoke_run, tmp_path, capsys):
    shutil.copytree(smoke_run("cgan"), tmp_path / "run")
    run = tmp_path / "run"
    assert evaluate.main([f"--source={run}", "--num=60", "--seed=1"]) == 0
    out = capsys.readouterr().out
    result, sheet = result_in(run / "evaluation")
    assert (
        result["name"]
        == "cgan at step 6 with seed 1, classifier:digits, lanczos, digits, 60"
    )
    assert result["name"] in out and "60,000 training images of MNIST" in out
    assert "the 5000 training images themselves" in out
    assert "--reference=tfds:mnist" in out and "no held-out images" in out
    assert result["reference"] == {"name": "digits", "num": 5000, "held_out": False}
    assert result["num"] == 60 and result["seed"] == 1 and result["step"] > 0
    found = result["samples"]
    assert found["kid"]["standard_error"] == pytest.approx(
        found["kid"]["standard_deviation"]
    )
    # For subsets of half of the images, the standard error is the deviation.
    assert found["kid"]["subset_size"] == 30
    assert 0 <= found["accuracy"] <= 1 and found["frechet_distance"] > 0
    assert 1 <= found["class_score"]["mean"] <= 10 and 0 < found["ms_ssim"] < 1
    assert set(result["skipped"]) == {"suspicious", "suspicious_if_changed"}
    assert result["real"]["accuracy"] > 0.99  # the network was trained on them
    assert sheet.shape == (10 * 30 + 2, 2 * 30 + 2)
    assert len(result["most_suspicious"]) == 10
    assert "60 images are few for 128 features" in out
    # An exported file, which records its training set, gets the same result.
    tflite = run / "export" / "generator.tflite"
    args = [f"--source={tflite}", "--num=60", "--seed=1", f"--out={tmp_path / 'out'}"]
    assert evaluate.main(args) == 0
    again, _ = result_in(tmp_path / "out")
    assert again["name"] == result["name"]
    assert again["samples"]["kid"]["mean"] == pytest.approx(
        found["kid"]["mean"], rel=0.02
    )


def test_folders_of_pictures(tmp_path, capsys):
    """Ten copies of training images among 100 images are found and shown."""
    pictures = embedded("digits").images[::7]
    train, fresh, held_out = pictures[::3], pictures[1::3], pictures[2::3]
    write_pictures(tmp_path / "train", train)
    write_pictures(tmp_path / "held_out", held_out)
    write_pictures(tmp_path / "made", fresh[:90])
    write_pictures(tmp_path / "made", train[:10], start=90)
    args = [
        f"--source={tmp_path / 'made'}",
        f"--dataset=folder:{tmp_path / 'train'}",
        f"--reference=folder:{tmp_path / 'held_out'}",
        "--features=classifier:digits",
        f"--out={tmp_path / 'out'}",
    ]
    assert evaluate.main(args) == 0
    out = capsys.readouterr().out
    result, sheet = result_in(tmp_path / "out")
    assert result["num"] == 100 and result["reference"]["held_out"]
    assert f"{len(held_out)} images, assumed to be unseen" in out
    numbers = {pair["sample"]: pair["training"] for pair in result["most_suspicious"]}
    assert numbers == {90 + i: i for i in range(10)}
    for row in range(10):  # each copy beside its training image
        part = sheet[2 + 30 * row : 30 + 30 * row]
        np.testing.assert_array_equal(part[:, 2:30], part[:, 32:60])
    assert 0.1 <= result["samples"]["suspicious"] < 0.2
    assert 0.3 < result["real"]["authenticity"] < 0.8
    assert result["skipped"] == {"accuracy": "the source takes no labels"}
    assert "(the source takes no labels)" in out and result["seed"] is None
    assert result["ms_ssim_pairs"] == "of any classes"
    assert result["ms_ssim_scales"] == 2  # for 28 pixels


def evaluate_folder(tmp_path, out, *more):
    """Evaluate tmp_path/made against tmp_path/real; return the result."""
    args = [f"--source={tmp_path / 'made'}", f"--dataset=folder:{tmp_path / 'real'}"]
    args += [f"--out={tmp_path / out}", "--features=classifier:digits", *more]
    assert evaluate.main(args) == 0
    return result_in(tmp_path / out)[0]


def test_real_pictures_are_looked_at_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    pictures = embedded("digits").images[::50]
    write_pictures(tmp_path / "made", pictures[:30])
    write_pictures(tmp_path / "real", pictures[30:])
    first = evaluate_folder(tmp_path, "first")
    assert "folder:real: 70/70, in" in capsys.readouterr().out
    again = evaluate_folder(tmp_path, "again")
    out = capsys.readouterr().out
    assert "folder:real: cached features of 70" in out and "samples: 30/30, in" in out
    for key in ("samples", "real", "skipped"):
        assert again[key] == first[key]
    evaluate_folder(tmp_path, "anew", "--nocache")
    assert "folder:real: 70/70, in" in capsys.readouterr().out
    # The cache is not used for another network or for changed files.
    evaluate_folder(tmp_path, "other", "--features=classifier:fashion")
    assert "folder:real: 70/70, in" in capsys.readouterr().out
    write_pictures(tmp_path / "real", 255 - pictures[30:31])
    changed = evaluate_folder(tmp_path, "changed")
    assert "folder:real: 70/70, in" in capsys.readouterr().out
    assert changed["samples"]["kid"] != first["samples"]["kid"]
    # A truncated cache file is ignored. Beyond MOST, the oldest files are deleted.
    folder = tmp_path / "caches" / "keras_gans" / "features"
    assert len(list(folder.iterdir())) == 3
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes()[:100])
    monkeypatch.setattr(feature_cache, "MOST", 1)
    assert evaluate_folder(tmp_path, "cut")["samples"] == changed["samples"]
    assert len(list(folder.iterdir())) == 1
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "real" / "00000.png"))
    assert evaluate_folder(tmp_path, "no_room")["samples"] == changed["samples"]


SECOND_OPINION = """
import os
import numpy as np
from PIL import Image

def calculate_metrics(input1, input2, feature_extractor, kid_subset_size, **options):
    assert feature_extractor == "inception-v3-compat" and not options["cuda"]
    folders = [
        [np.asarray(Image.open(f"{folder}/{name}")) for name in os.listdir(folder)]
        for folder in (input1, input2)
    ]
    if len(folders[0]) == 25:
        raise OSError("cannot\\ndownload")
    return {
        "kernel_inception_distance_mean": np.float64(kid_subset_size),
        "frechet_inception_distance": np.mean(folders[0]),
        "inception_score_mean": np.mean(folders[1]),
    }
"""


def test_torch_fidelity_gets_the_same_pictures(tmp_path, capsys, monkeypatch):
    (tmp_path / "site" / "torch_fidelity-9.dist-info").mkdir(parents=True)
    about = tmp_path / "site" / "torch_fidelity-9.dist-info" / "METADATA"
    about.write_text("Metadata-Version: 2.1\nName: torch-fidelity\nVersion: 9\n")
    (tmp_path / "site" / "torch_fidelity.py").write_text(SECOND_OPINION)
    pictures = embedded("digits").images[::50]
    write_pictures(tmp_path / "made", pictures[:30])
    write_pictures(tmp_path / "real", pictures[30:])
    args = ["--source=made", "--dataset=digits", "--cross_check"]
    assert "pip install torch-fidelity" in fails(capsys, *args)
    monkeypatch.syspath_prepend(tmp_path / "site")
    found = evaluate_folder(tmp_path, "out", "--cross_check")["cross_check"]
    assert "  by: torch-fidelity 9, inception-v3-compat" in capsys.readouterr().out
    assert found == {
        "by": "torch-fidelity 9, inception-v3-compat",
        "KID": 30,
        "Frechet distance": pytest.approx(pictures[:30].mean()),
        "Inception score": pytest.approx(pictures[30:].mean()),
    }
    args = [f"--source={tmp_path / 'made'}", f"--dataset=folder:{tmp_path / 'real'}"]
    args += ["--features=classifier:digits", f"--out={tmp_path / 'failed'}"]
    assert evaluate.main([*args, "--num=25", "--cross_check"]) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1 and "torch-fidelity failed: cannot" in err
    assert "cross_check" not in result_in(tmp_path / "failed")[0]  # the rest is kept


@pytest.mark.second
def test_unconditional_generators_and_codes(smoke_run, tmp_path):
    for name, seen in (("gan", False), ("infogan", True)):
        out = tmp_path / name
        args = [f"--source={smoke_run(name)}", "--num=40", f"--out={out}"]
        assert evaluate.main(args) == 0
        result, _ = result_in(out)
        assert ("accuracy" in result["samples"]) is seen
        assert ("accuracy" in result["skipped"]) is not seen


def test_bad_input_is_one_line(smoke_run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = f"--source={smoke_run('cgan')}"
    noise = np.random.default_rng(0).integers(0, 256, (30, 12, 12, 1), np.uint8)
    write_pictures(tmp_path / "made", noise)
    write_pictures(tmp_path / "mixed", noise[:2])
    write_pictures(tmp_path / "mixed", noise[:2, :8, :8], start=2)
    write_pictures(tmp_path / "wide", noise[:2, :8])
    write_pictures(tmp_path / "few", noise[:19])
    write_pictures(tmp_path / "broken", noise)
    for i in range(11):
        (tmp_path / "broken" / f"{i:05d}.png").write_text("corrupt")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    made = ["--source=made", "--dataset=digits"]
    for args, message in (
        ([], "--source: expected a generator or a folder of images"),
        (["--source=none"], "none: expected a workdir, a SavedModel folder, a .tflite"),
        (["--source=none.tflite"], "no file"),
        (["--source=file"], "expected a workdir"),
        (["--source=made"], "which records no training data set"),
        (["--source=empty", "--dataset=digits"], "no images that can be read"),
        (["--source=mixed", "--dataset=digits"], "of one size, as a generator makes"),
        (["--source=wide", "--dataset=digits"], "got 12x8; resize them to one size"),
        (["--source=few", "--dataset=digits"], "at least 20 images, found 19"),
        (
            ["--source=broken", "--dataset=digits"],
            "at least 20 images, found 19",
        ),
        ([*made, "--seed=1"], "--seed: expected a generator, but made is a folder of"),
        ([*made, "--checkpoint=best"], "--checkpoint: expected a generator"),
        ([*made, "--num=31"], "expected at least 31 images, found 30"),
        ([run, "--num=19"], "--num=19: expected at least 20"),
        ([run, "--seed=-1"], "seed: expected 0 to"),
        ([run, "--dataset=digit"], "no data set 'digit'; did you mean 'digits'"),
        ([run, "--dataset=ring"], "'ring' holds points, not images"),
        ([run, "--dataset=folder:none"], "no folder 'none'"),
        ([run, "--reference=folder:few"], "at least 20 images, found 19"),
        ([run, "--reference=fashon"], "did you mean 'fashion'"),
        ([run, "--reference_split=test"], "expected a TFDS data set, got digits"),
        ([run, "--features=classifier:digit"], "did you mean 'classifier:digits'"),
        ([run, "--out=file"], "pass another folder with --out"),
        ([run, "--num=x"], "num"),
        ([run, "--feature=inception_v3"], "did you mean 'features'"),
        ([f"--source={smoke_run('rsgan_ring')}"], "'ring' holds points"),
    ):
        assert message in fails(capsys, *args), args
    assert not list(tmp_path.glob("evaluation/*"))


def test_run_is_compared_with_what_it_held_out(tmp_path, capsys):
    run = tmp_path / "run"
    args = ["--model=gan", "--smoke", "--export=none", "--set=data.held_out=300"]
    assert train.main([*args, f"--workdir={run}"]) == 0
    assert evaluate.main([f"--source={run}", "--num=40"]) == 0
    assert "the 300 images that the run held out" in capsys.readouterr().out
    result, _ = result_in(run / "evaluation")
    name = result["dataset"]["name"]
    assert result["dataset"]["num"] == 4700
    assert result["reference"] == {
        "name": f"{name} held out",
        "num": 300,
        "held_out": True,
    }
    assert "suspicious" in result["samples"]


def test_held_out_pictures_of_a_changed_folder_are_not_known(tmp_path, capsys):
    pictures = embedded("digits").images[::50]
    write_pictures(tmp_path / "set", pictures)
    run, dataset = tmp_path / "run", f"folder:{tmp_path / 'set'}"
    args = ["--model=gan", "--smoke", "--export=none", f"--set=data.dataset={dataset}"]
    args += ["--set=data.held_out=30", f"--workdir={run}"]
    assert train.main(args) == 0
    asked = [f"--source={run}", "--features=classifier:digits", "--num=20"]
    assert evaluate.main(asked) == 0
    assert "the 30 images that the run held out" in capsys.readouterr().out
    write_pictures(tmp_path / "set", pictures[:1], start=100)
    assert "the images have changed" in fails(capsys, *asked)
    # The same folder under another path is still the training set.
    asked += [f"--dataset={dataset}", f"--reference=folder:{tmp_path / 'run/../set'}"]
    assert evaluate.main(asked) == 0
    assert "training images themselves" in capsys.readouterr().out


@pytest.mark.second
def test_run_measures_itself_and_keeps_its_best(tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    args = ["--model=gan", "--smoke", "--export=none", "--set=train.evaluate_every=3"]
    args += ["--set=data.held_out=300", f"--workdir={run}"]
    # The second KID, of step 6, is replaced with a worse one.
    real_kid = kid_monitor.kid
    values = iter([None, 1e3])

    def worse(*arguments, **options):
        return next(values) or real_kid(*arguments, **options)[0], 0.0

    monkeypatch.setattr(kid_monitor, "kid", worse)
    assert train.main(args) == 0
    monkeypatch.undo()
    out = capsys.readouterr().out
    assert "(classifier:digits, 300 samples), the best so far" in out
    assert out.count("the best so far") == 1
    lines = (run / "metrics.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if "kid" in row]
    assert [row["step"] for row in rows] == [3, 6]
    assert all(0 <= row["coverage"] <= 1 for row in rows)
    best = load.load(str(run), "best")
    assert (best.info["step"], load.load(str(run)).info["step"]) == (3, 6)

    # the logged coverage, computed in another way
    source = data.open_source(data.DataOptions("digits", 64, held_out=300)).held_out
    network = features.open_network("classifier:digits")
    found = network(best.sample(300, seed=0))[0]
    expected = prdc_of(network(source.images)[0], found)["coverage"]
    assert rows[0]["coverage"] == pytest.approx(expected, abs=0.01)

    # A resumed run keeps the best checkpoint when a later one is worse.
    before = (run / "checkpoints" / "best.npz").read_bytes()
    values = iter([1e3])
    monkeypatch.setattr(kid_monitor, "kid", worse)
    more = ["--resume", "--set=train.steps=9"]
    assert train.main([*args, *more]) == 0
    assert (run / "checkpoints" / "best.npz").read_bytes() == before
    assert main_of_export([f"--workdir={run}", "--checkpoint=best", "--to=tflite"]) == 0
    assert load.load(str(run / "export" / "generator.tflite")).info["step"] == 3


@pytest.mark.parametrize(
    "args, message",
    [
        (["--model=sngan_ring"], "got the points of 'ring'"),
        (["--model=gan", "--set=data.held_out=40"], "at least 50 real images"),
        (["--model=gan", "--set=train.evaluate_every=-1"], "expected at least 0"),
    ],
)
def test_what_cannot_be_measured_on_the_way(args, message, tmp_path, capsys):
    args = ["--smoke", "--set=train.evaluate_every=3", *args]
    capsys.readouterr()
    assert train.main([*args, f"--workdir={tmp_path / 'run'}"]) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_best_checkpoint_that_is_not_there(smoke_run, capsys):
    args = [f"--source={smoke_run('cgan')}", "--checkpoint=best"]
    assert "no best checkpoint" in fails(capsys, *args)
    args[0] += "/export/generator.tflite"
    assert "expected a run's workdir, which has checkpoints" in fails(capsys, *args)


@pytest.mark.parametrize(
    "dataset, message",
    [
        ("folder:/none/of/mine", "no folder '/none/of/mine'"),
        ("folder:\x1b[2J", "no folder"),
        ("tfds:mnist", "--dataset=tfds:mnist to download it"),
        ("tfds:mnist:3.0.1", "which is not on this machine"),
        ("tfds:huggingface:evil/data", "which is not on this machine"),
        ("tfds:../../etc", "which is not on this machine"),
        ("outline:tfds:mnist", "which is not on this machine"),
        ("ring", "'ring' holds points"),
        (5, "does not record its training data set"),
        (None, "does not record its training data set"),
        ({"a": 1}, "does not record its training data set"),
    ],
)
def test_data_set_that_a_source_names_is_said_and_not_downloaded(
    dataset, message, smoke_run, tmp_path, monkeypatch, capsys
):
    def download(*args, **keywords):
        raise AssertionError("TensorFlow Datasets was asked")

    monkeypatch.setattr(tfds, "builder", download)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    saved = shutil.copytree(
        smoke_run("cgan") / "export" / "saved_model", tmp_path / "s"
    )
    path = saved / "assets.extra" / "keras_gans.json"
    info = json.loads(path.read_text())
    value = "[[[" if dataset is None else json.dumps(dataset)
    value = value if not isinstance(dataset, dict) else "{ a = 1 }"
    info["recipe"] = f"[data]\ndataset = {value}\n"
    path.write_text(json.dumps(info))
    capsys.readouterr()
    assert evaluate.main([f"--source={saved}", "--num=20"]) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1 and message in err
    if isinstance(dataset, str) and dataset != "ring":
        shown = sampler_lib.shown(dataset)
        assert out.splitlines()[0].startswith(f"data set: {shown}, which {saved} names")
    else:
        assert not out


@pytest.mark.parametrize(
    "name, there",
    [
        ("mnist", True),
        ("mnist/3.0.1", True),
        ("mnist:3.0.1", True),
        ("cycle_gan/apple2orange", True),
        ("cycle_gan/horse2zebra", False),
        ("mnist:2.0.0", False),
        ("mni", False),
        ("", False),
        ("../tfds/mnist", False),
        ("mnist/..", False),
        ("ns:mnist", False),
    ],
)
def test_prepared_data_sets_are_found(name, there, tmp_path):
    from keras_gans.data.tfds import is_prepared

    for folder in ("mnist/3.0.1", "cycle_gan/apple2orange/3.0.0"):
        (tmp_path / "tfds" / folder).mkdir(parents=True)
    assert is_prepared(name, str(tmp_path / "tfds")) is there
