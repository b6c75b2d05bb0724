"""The doctor: findings for real runs and synthetic logs; checks of images."""

import json
import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_gans
from harness import smoke_model
from keras_gans import doctor, train
from keras_gans.diagnostics import log as log_lib
from keras_gans.diagnostics import rules, sample_stats
from keras_gans.errors import UserError
from keras_gans.recipes.train_options import TrainOptions
from keras_gans.training import callbacks

HEALTHY = {
    "real_score": 0.6,
    "fake_score": 0.4,
    "fakes_passing": 0.3,
    "d_gradient_norm": 1.0,
    "g_gradient_norm": 1.0,
    "score_spread": 0.05,
    "diversity": 0.8,
    "saturation": 0.0,
    "held_out_score": 0.58,
}
SURE = {"real_score": 0.98, "fake_score": 0.02, "fakes_passing": 0.0}
SURE_SQUARES = {  # least squares: sigmoids of 1/2 and of -1/2
    "real_score": 0.62,
    "fake_score": 0.38,
    "fakes_passing": 0.0,
    "d_real": 0.01,
    "d_fake": 0.01,
}
CASES = [
    # (changes of HEALTHY after step 1,000, name of the expected finding)
    ({}, None),
    ({"g_gradient_norm": 1e-7}, "dead gradients"),
    ({"d_gradient_norm": 1e-7}, "dead gradients"),
    ({"g_gradient_norm": 1e-5}, None),
    ({"saturation": 0.95}, "saturated"),
    ({"saturation": 0.8}, None),
    ({"diversity": 0.3}, "collapse"),
    ({"diversity": 0.1}, "collapse"),
    ({"diversity": 0.5}, None),
    (SURE | {"held_out_score": 0.9}, "discriminator won"),
    (SURE | {"held_out_score": 0.9, "fakes_passing": 0.01}, None),
    (SURE | {"held_out_score": 0.9, "fake_score": 0.1}, None),
    (SURE_SQUARES, "discriminator won"),
    (SURE_SQUARES | {"d_real": 0.1}, None),
    (SURE_SQUARES | {"d_fake": -0.01}, None),  # negative, as a critic's loss may be
    (SURE_SQUARES | {"fakes_passing": 0.1}, None),
    ({"real_score": 0.8, "fake_score": 0.2, "held_out_score": 0.3}, "overfitting"),
    ({"real_score": 0.8, "fake_score": 0.2, "held_out_score": 0.5}, None),
    ({"real_score": 0.55, "fake_score": 0.45, "held_out_score": 0.45}, None),
    ({"score_spread": 0.3}, "oscillation"),
    ({"score_spread": 0.15}, None),
]


def made_up(changes, first=1000, every=50, last=2000):
    """Yield the lines of a run that is healthy up to step `first`, then changed."""
    for step in range(every, last + 1, every):
        yield {"step": step} | HEALTHY | (changes if step > first else {})


@pytest.mark.parametrize("every", [10, 50, 250])
@pytest.mark.parametrize("changes, name", CASES)
def test_rules(changes, name, every):
    diagnosis, log = rules.Diagnosis(), log_lib.Log()
    said = []
    for row in made_up(changes, every=every):
        log.add(row)
        said += diagnosis.update(log)
    # Each finding is reported once.
    assert [finding.name for finding in said] == ([name] if name else [])
    if name:
        # At the latest when all evaluated lines (200 steps, or 4 lines) are changed;
        # a rule that averages may report earlier.
        assert 1000 < said[0].step <= 1000 + max(200, 4 * every)
        assert str(said[0]).startswith(f"step {said[0].step}: {name}: ")
        assert "\n" not in str(said[0]) and "tart again" in str(said[0])


def test_swings_from_line_to_line_are_oscillation_too():
    log = log_lib.Log()
    for row in made_up({}):
        turn = row["step"] // 50 % 2
        log.add(row | {"real_score": 0.9 - 0.5 * turn, "fake_score": 0.1 + 0.5 * turn})
    assert rules.oscillation(log)


def test_generators_that_learn_to_vary_have_not_collapsed():
    """Diversity is high in the first steps (noise), then low, then grows."""
    log, diagnosis = log_lib.Log(), rules.Diagnosis()
    for step in range(50, 2001, 50):
        diversity = 1.2 if step <= 100 else 0.05 + 0.8 * step / 2000
        log.add({"step": step} | HEALTHY | {"diversity": diversity})
        assert not diagnosis.update(log)
    log = log_lib.Log(made_up({"diversity": 0.1}, first=0))  # low from the start
    assert "collapse" in {f.name for f in rules.Diagnosis().update(log)}


def test_nothing_is_judged_early_or_by_a_few_lines():
    early = made_up(SURE | {"diversity": 0.01}, first=0, last=log_lib.SETTLED)
    assert not rules.Diagnosis().update(log_lib.Log(early))
    few = list(made_up({"diversity": 0.01}, first=0, every=400, last=1600))
    assert not rules.Diagnosis().update(log_lib.Log(few[:3]))
    assert rules.Diagnosis().update(log_lib.Log(few))


def test_lines_of_one_step_belong_together():
    log = log_lib.Log([{"step": 5, "a": 1.0}, {"step": 5, "b": 2.0}, {"step": 6}])
    assert log.rows == [{"step": 5, "a": 1.0, "b": 2.0}, {"step": 6}] and log.step == 6
    assert log_lib.Log().step == 0


class Sampler:
    """Stand-in for a sampler, with the methods that `SampleStatistics` calls."""

    def __init__(self, pictures, **info):
        self.pictures = pictures
        self.info = {"num_classes": 0, "num_codes": 0} | info

    def latents(self, numbers):
        """Return zeros."""
        return np.zeros((len(numbers), 2))

    def extra_inputs(self, numbers):
        """Return no inputs."""
        return {}

    def generate(self, latents, labels, extra):
        """Record the labels; return the same images each time."""
        self.asked = labels
        return self.pictures


def measure(real, fake, labels=None, **info):
    examples = {"images": real} | ({} if labels is None else {"labels": labels})
    return sample_stats.SampleStatistics(Sampler(fake, **info), examples).measure()


def test_vitals_are_what_they_say():
    rng = np.random.default_rng(0)
    real = rng.uniform(-0.9, 0.9, (32, 6, 6, 3)).astype(np.float32)
    assert measure(real, real) == pytest.approx({"diversity": 1.0, "saturation": 0.0})
    assert measure(real, real / 4)["diversity"] == pytest.approx(0.25)
    alike = np.repeat(real[:1], 32, axis=0)
    assert measure(real, alike)["diversity"] == pytest.approx(0, abs=1e-6)
    black_and_white = np.sign(real)
    assert measure(real, black_and_white)["saturation"] == 1.0
    half = np.where(np.arange(6)[:, None] < 3, black_and_white, real)
    assert measure(real, half)["saturation"] == pytest.approx(0.5)
    # Saturation is 0 if the real images are saturated, too.
    assert measure(black_and_white, black_and_white)["saturation"] == 0.0


def test_diversity_is_that_within_classes():
    """Compare with a loop over pairs, and with two classes that have each collapsed."""
    rng = np.random.default_rng(0)
    labels = np.arange(32) % 2
    real = rng.uniform(-1, 1, (32, 4, 4, 1))
    fake = np.where(labels[:, None, None, None] == 1, 0.9, -0.9) * np.ones_like(real)
    found = measure(real, fake, labels, num_classes=2)["diversity"]
    assert found == pytest.approx(0, abs=1e-6)
    assert measure(real, fake, labels)["diversity"] > 0.5  # without classes

    def mean(pictures):
        pairs = [
            np.sqrt(((pictures[i] - pictures[j]) ** 2).mean())
            for i in range(32)
            for j in range(i)
            if labels[i] == labels[j]
        ]
        return np.mean(pairs)

    fake = rng.normal(size=real.shape)
    found = measure(real, fake, labels, num_classes=2)["diversity"]
    assert found == pytest.approx(mean(fake) / mean(real))


def test_classes_of_one_picture_are_compared_with_each_other():
    rng = np.random.default_rng(0)
    labels = np.arange(64) % 4
    real = rng.uniform(-1, 1, (4, 4, 4, 1)).astype(np.float32)[labels]
    found = measure(real, real / 2, labels, num_classes=4)
    assert found["diversity"] == pytest.approx(0.5)


def test_pictures_that_are_not_finite_stop_a_run():
    """As with overflowed batch statistics in the moving average of a generator."""
    lines = []
    recorder = types.SimpleNamespace(
        check=lambda: True, log=log_lib.Log(), broken=None, line=lines.append
    )
    found = {"diversity": float("nan"), "saturation": 0.0}
    watcher = callbacks.Doctor(
        types.SimpleNamespace(measure=lambda: found),
        TrainOptions(10, log_every=5),
        recorder,
    )
    step = types.SimpleNamespace(numpy=lambda: 0)
    watcher.set_model(types.SimpleNamespace(step=step, stop_training=False))
    watcher.on_train_begin()
    watcher.on_step(4, {})
    assert recorder.broken is None
    watcher.on_step(5, {})
    assert recorder.broken == (5, ["diversity"]) and watcher.model.stop_training
    assert not lines


@pytest.mark.parametrize(
    "pictures, message",
    [
        (np.full((4, 8, 8, 1), -0.3), "different images, got identical ones"),
        (np.arange(64.0).reshape(4, 4, 4, 1), r"\[-1, 1\], got 0 to 63"),
        (np.arange(64.0).reshape(4, 4, 4, 1) / 63, r"\[-1, 1\], got 0 to 1; scale"),
        (np.full((4, 8, 8, 1), np.nan), "finite values, got nan"),
        (np.zeros((8, 8, 1)), r"\[num, height, width, channels\], got shape \[8, 8, 1"),
        (np.zeros((0, 8, 8, 1)), "got none"),
        ((np.zeros((4, 8, 8, 1)), np.zeros(4)), "got none"),
    ],
)
def test_pictures_that_nothing_can_be_learned_from(pictures, message):
    with pytest.raises(UserError, match=message):
        keras_gans.check_pictures(pictures)


def test_good_pictures_pass():
    keras_gans.check_pictures(np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 3)))


def test_constant_pictures_end_a_run_before_it_starts(tmp_path, capsys):
    for i in range(3):
        Image.new("L", (28, 28), 200).save(tmp_path / f"{i}.png")
    workdir = tmp_path / "run"
    args = ["--model=dcgan", "--smoke", f"--set=data.dataset=folder:{tmp_path}"]
    assert train.main([*args, f"--workdir={workdir}"]) == 2
    err = capsys.readouterr().err
    assert "got identical ones" in err and err.count("\n") == 1 and not workdir.exists()


def train_gan(workdir, *words):
    """Train a small MLP on digits with settings that break the run."""
    settings = [f"--set={word}" for word in words]
    args = ["--model=gan", "--smoke", "--export=none", f"--workdir={workdir}"]
    return train.main([*args, *settings])


def test_a_run_says_what_it_dies_of(tmp_path, capsys):
    words = ["d_optimizer.learning_rate=1e38", "train.steps=20"]
    assert train_gan(tmp_path / "run", *words) == 1
    last = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1]
    row = json.loads(last)
    assert row["not_finite"] and all(isinstance(k, str) for k in row["not_finite"])
    capsys.readouterr()
    assert doctor.main([f"--workdir={tmp_path / 'run'}"]) == 1
    out = capsys.readouterr().out
    assert out.startswith(f"step {row['step']}: not finite: {row['not_finite'][0]} was")
    assert out.count("\n") == 1


@pytest.mark.second
def test_a_run_says_what_goes_wrong_and_says_it_once(tmp_path, capsys):
    words = ["g_optimizer.learning_rate=1.0", "train.log_every=40", "train.steps=480"]
    assert train_gan(tmp_path / "run", *words, "train.grid_every=1000") == 0
    said = [x for x in capsys.readouterr().out.splitlines() if x.startswith("doctor: ")]
    assert doctor.main([f"--workdir={tmp_path / 'run'}"]) == 1
    assert [f"doctor: {line}" for line in capsys.readouterr().out.splitlines()] == said
    assert any(": saturated: " in line for line in said)
    # A resumed run does not repeat its findings.
    longer = [w.replace("480", "560") for w in words]
    args = ["--model=gan", "--smoke", "--export=none", "--resume"]
    args += [f"--workdir={tmp_path / 'run'}", "--set=train.grid_every=1000"]
    assert train.main([*args, *(f"--set={w}" for w in longer)]) == 0
    out = capsys.readouterr().out
    assert "resuming from step 480" in out and "saturated" not in out


def test_a_healthy_log_is_called_so(smoke_run, capsys):
    workdir = smoke_run("cgan")
    capsys.readouterr()
    assert doctor.main([f"--workdir={workdir}"]) == 0
    assert capsys.readouterr().out == "no faults: 3 log lines, up to step 6\n"


@pytest.mark.parametrize(
    "text, message",
    [
        (None, "no log yet"),
        ("", "no line yet"),
        ('{"step": 1}\n{"step"', None),  # a line that is being written
        ('{"step": 1}\nhello\n', None),  # left out, which stdout says
        ('hello\n{"step": "x"}\n', "line 1: expected a JSON object"),
        ('{"stop": 1}\n', "line 1: expected a JSON object"),
        ("[1]\n", "line 1: expected a JSON object"),
        (b"\xff\xfe\n", "line 1: expected a JSON object"),
    ],
)
def test_logs_that_cannot_be_read(text, message, smoke_run, tmp_path, capsys):
    for name in ("config.toml", "info.json"):
        (tmp_path / name).write_bytes((smoke_run("cgan") / name).read_bytes())
    if text is not None:
        content = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "metrics.jsonl").write_bytes(content)
    capsys.readouterr()
    assert doctor.main([f"--workdir={tmp_path}"]) == (2 if message else 0)
    err = capsys.readouterr().err
    assert (message in err and err.count("\n") == 1) if message else not err


def test_doctor_says_what_it_needs(tmp_path, capsys):
    assert doctor.main([]) == 2
    assert "no run; pass its folder" in capsys.readouterr().err
    assert doctor.main([f"--workdir={tmp_path}"]) == 2
    assert "not a run's folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["wgan", "rsgan_ring", "lsgan"])
def test_held_out_score_is_what_real_score_is(name):
    """For wgan and rsgan, a bias cancels; for lsgan, the score is sigmoid(D - 1/2)."""
    model, source = smoke_model(name)
    options = TrainOptions(10, log_every=1)
    recorder = types.SimpleNamespace(line=lambda step, values: found.append(values))
    held = callbacks.HeldOut(source, options, recorder)
    held.set_model(model)
    held.on_train_begin()
    batch = next(iter(source.stream(0)))
    found = []
    networks = model.generator, model.discriminator
    before = [v.numpy() for network in networks for v in network.variables]
    held.on_step(1, {})
    after = [v.numpy() for network in networks for v in network.variables]
    # The callback changes no variable.
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, two)
    found.clear()
    [bias] = [w for w in model.discriminator.weights if w.path.endswith("logits/bias")]
    for rise in (0.0, 3.0):
        bias.assign_add(tf.fill(bias.shape, rise))
        held._batches = iter([batch])
        held.on_step(1, {})
    before, after = (values["held_out_score"] for values in found)
    if name == "lsgan":
        logits = model.score(batch["images"], batch) - 0.5
        found = float(tf.reduce_mean(tf.sigmoid(logits)))
        assert after == pytest.approx(found, abs=0.02)  # dropout changes the logits
        assert after > before
    else:
        assert after == pytest.approx(before, abs=1e-5)
