"""Mutated recipes of the zoo: a resolved recipe or one line, within time and memory."""

import random
import re
import resource
import time
import tomllib

import pytest

from harness import ROOT, ZOO
from keras_gans.errors import UserError
from keras_gans.recipes import config

pytestmark = pytest.mark.slow

NUMBER, MEMORY = 1000, 1536  # mutants; MiB
TEXTS = {
    name: (ROOT / "zoo_configs" / f"{name}.toml").read_text("utf-8") for name in ZOO
}
VALUES = [
    *(
        "0",
        "-1",
        "1",
        "2",
        "-0.0",
        "0.5",
        "1.5",
        "1e400",
        "-1e39",
        "nan",
        "-inf",
        "1e-320",
    ),
    *(
        "2147483647",
        "2147483648",
        "-9223372036854775808",
        "9" * 30,
        "9" * 400,
        "9" * 5000,
    ),
    *("0x" + "f" * 40, "0x" + "f" * 6000, "1_000", "0b1", "true", "false", "''", '""'),
    *("2026-01-01", "07:32:00", "2026-01-01T00:00:00Z", "[]", "{}", "[[]]", "[1, 'a']"),
    *("[" * 2000, "[" * 7 + "]" * 7, "[" * 99 + "]" * 99, "{a = {b = {c = 1}}}"),
    *("{" + "a." * 900 + "b = 1}", "{class_name = 'CosineDecay'}", "{class_name = 1}"),
    "{class_name = 'CosineDecay', initial_learning_rate = -1}",
    "{class_name = 'PiecewiseConstantDecay', boundaries = [2, 1], values = [1]}",
    "{class_name = 'PolynomialDecay', initial_learning_rate = 1, power = [1]}",
    "{class_name = ['CosineDecay']}",
    *(
        "'Adam'",
        "'LossScaleOptimizer'",
        "'SGD'",
        "'Muon'",
        "'keras_gans.models.gan:GAN'",
    ),
    *(
        "'keras_gans.networks.unet'",
        "'.foo'",
        "'a b'",
        "'tfds:x'",
        "'pairs:a,b'",
        "'a\tb'",
    ),
    *("'" + "x" * 5000 + "'", '"\\u001b[31m"', '"\\u0000"', "'folder:'", "'../..'"),
]


def mutant(rng):
    """Return a recipe with one to four mutations of its values, keys, lines or text."""
    text = TEXTS[rng.choice(ZOO)]
    for _ in range(rng.randint(1, 4)):
        text = rng.choice(MUTATIONS)(text, rng)
    return text


def other_value(text, rng):
    places = list(re.finditer(r"(?<== )[^\n]+", text))
    place = rng.choice(places) if places else None
    return (
        text[: place.start()] + rng.choice(VALUES) + text[place.end() :]
        if place
        else ""
    )


def inner_number(text, rng):
    places = list(re.finditer(r"-?\d[\d.e-]*", text))
    place = rng.choice(places) if places else None
    return (
        text[: place.start()] + rng.choice(VALUES) + text[place.end() :]
        if place
        else ""
    )


def other_key(text, rng):
    places = list(re.finditer(r"^[a-z_0-9]+(?= =)", text, re.M))
    if not places:
        return text
    place, other = rng.choice(places), rng.choice(places)[0]
    word = rng.choice(
        [other, place[0].upper(), place[0] + "s", '"\\u0007"', "a.b", "1"]
    )
    return text[: place.start()] + word + text[place.end() :]


def moved_line(text, rng):
    lines = text.splitlines()
    lines.insert(rng.randrange(len(lines) + 1), rng.choice([*lines, ""]))
    return "\n".join(lines)


def removed_line(text, rng):
    lines = text.splitlines() or [""]
    del lines[rng.randrange(len(lines))]
    return "\n".join(lines)


def other_table(text, rng):
    names = (
        "data generator discriminator g_optimizer hparams train smoke smoke.data x a.b"
    )
    new = rng.choice(["[{}]", "[[{}]]", "{} = 1\n", "[{}.x]"]).format(
        rng.choice(names.split())
    )
    places = list(re.finditer(r"^\[.*\]$", text, re.M))
    place = rng.choice(places) if places else None
    return text[: place.start()] + new + text[place.end() :] if place else new


def other_characters(text, rng):
    start = rng.randrange(len(text) + 1)
    piece = "".join(rng.choice("\0\x1b\"'[]{}=.,\n\r#\\é\u202e0a") for _ in range(3))
    return text[:start] + piece + text[start + rng.randrange(4) :]


def cut(text, rng):
    return text[: rng.randrange(len(text) + 1)]


def joined(text, rng):
    return text + "\n" + TEXTS[rng.choice(ZOO)]


MUTATIONS = [
    *[other_value] * 6,
    *[inner_number] * 4,
    *[other_key] * 3,
    moved_line,
    removed_line,
    other_table,
    other_characters,
    cut,
    joined,
]


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_mutated_recipes_are_resolved_or_refused_in_one_line(tmp_path):
    rng = random.Random(0)
    path, accepted = tmp_path / "mine.toml", 0
    config.load_config("cgan")  # imports the backend
    before = peak()
    for number in range(NUMBER):
        text, overrides = mutant(rng), []
        if rng.random() < 0.3:
            table = rng.choice(["data", "train", "hparams", "g_optimizer", "generator"])
            key = rng.choice(
                ["steps", "learning_rate", "width", "image_size", "x.y", ""]
            )
            overrides = [f"{table}.{key}={rng.choice(VALUES)}"]
        path.write_text(text, "utf-8", newline="")
        start = time.process_time()
        try:
            recipe = config.load_config(str(path), overrides, rng.random() < 0.3)
            resolved = recipe.to_toml()
        except UserError as error:
            message = str(error)
            assert len(message) < 490 and message.isprintable(), (number, message)
        except BaseException as error:
            raise AssertionError(f"mutant {number}: {overrides}\n{text}") from error
        else:
            accepted += 1
            assert tomllib.loads(resolved)["train"]["steps"] >= 1
            path.write_text(resolved, "utf-8")
            assert config.load_config(str(path)) == recipe, number
        assert time.process_time() - start < 10, number
    assert 20 < accepted < NUMBER / 2
    assert peak() < max(MEMORY, before + 256)
