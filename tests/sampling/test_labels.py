"""The words of `--label`: names of classes first, then numbers."""

import unicodedata

import pytest

from keras_gans.device.sampler import BaseSampler, SamplerError, written

ANIMALS = ("ant", "bee", "cat")
NUMBERS = tuple(map(str, range(1, 13)))
TEXT_ORDER = tuple(sorted(NUMBERS))  # of runs and exports before 0.3
NFD = unicodedata.normalize("NFD", "caf\u00e9")
# Class names, word, number of the class (or words of the error).
WORDS = [
    (ANIMALS, "cat", 2),
    (ANIMALS, "1", 1),
    (ANIMALS, "dog", "expected 0 to 2, or one of ant, bee, cat"),
    (ANIMALS, "1.5", "label 1.5: expected 0 to 2"),
    (NUMBERS, "12", 11),
    (NUMBERS, "2", 1),
    (NUMBERS, "02", 1),
    (NUMBERS, "0", "label 0: expected one of 1, 2, 3"),
    (NUMBERS, "-1", "label -1: expected one of 1, 2, 3"),
    (NUMBERS, "x", "label x: expected one of 1, 2, 3"),
    (TEXT_ORDER, "12", 3),
    (TEXT_ORDER, "2", 4),
    (TEXT_ORDER, "1", 0),
    (("001", "010", "100"), "10", 1),
    (("001", "010", "100"), "010", 1),
    (tuple("0123456789"), "7", 7),
    (tuple("0123456789"), "10", "label 10: expected 0 to 9 (0, 1, 2"),
    (tuple("0123456789"), "four", "label four: expected 0 to 9, or one of 0, 1, 2"),
    (("b", "1", "0"), "0", 2),
    (("b", "1", "0"), "2", 2),
    (("a", NFD), "caf\u00e9", 1),
    (("a", "caf\u00e9"), NFD, 1),
    ((0, 1, 5), "5", 2),
    ((), "5", "is unconditional and takes no label"),
]


def sampler(names):
    made = BaseSampler()
    made.info = {"name": "x", "class_names": list(names), "num_classes": len(names)}
    return made


@pytest.mark.parametrize("names, word, expected", WORDS)
def test_names_come_before_numbers(names, word, expected):
    if isinstance(expected, int):
        number = sampler(names).label(word)
        assert number == expected
        name = sampler(names).class_name(number)
        assert written("a.png", name) == f"wrote a.png: class '{names[expected]}'"
        return
    with pytest.raises(SamplerError) as error:
        number = sampler(names).label(word)
        sampler(names).labels(1, number)
    assert expected in str(error.value)


def test_long_lists_of_names_are_shortened():
    names = [f"a class with a rather long name {i}" for i in range(1000)]
    for word in ("x", "1001"):
        with pytest.raises(SamplerError, match="and 988 more") as error:
            sampler(names).labels(1, sampler(names).label(word))
        assert len(str(error.value)) < 500


def test_no_class_has_no_name():
    assert sampler(ANIMALS).class_name(None) is None
    assert sampler(()).class_name(0) is None
    assert written("a.png", None) == "wrote a.png"
