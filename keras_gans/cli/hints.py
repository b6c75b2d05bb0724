"""Answers to flags that a command does not have."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

from absl import flags

from keras_gans.data.names import meant
from keras_gans.errors import UserError, did_you_mean, nearest
from keras_gans.recipes.config import load_config
from keras_gans.recipes.key_names import keys_of
from keras_gans.storage.workdir import nearest_run

# Flags, and what people type for them. Of several flags, a command's first one counts.
MEANT = {
    "model": "models config cfg recipe arch architecture gan gan_type gan_model "
    "network model_name m",
    "source": "workdir model run run_dir logdir log_dir checkpoint_dir checkpoint_path "
    "ckpt weights load path generator network input_dir folder exp s",
    "workdir": "source model run run_dir rundir dir path folder log logs w",
    "out": "output outputs outfile out_file outdir out_dir output_dir save save_dir "
    "save_to save_path filename file results o",
    "dataset": "data train_data training_data",
    "reference": "real real_images reals ref gt target test_data",
    "num": "n num_images num_samples n_samples samples count number nimages",
    "label": "labels class classes class_idx cls class_name y",
    "truncation": "trunc psi truncation_psi",
    "interpolate": "interp interpolation walk",
    "input": "image images img condition photo content",
    "features": "extractor feature_extractor inception",
    "to": "format formats type types kind out_format",
    "quantize": "quantization quant precision dtype optimize",
    "key": "watermark password secret",
    "seed": "seeds random_seed manual_seed rng",
    "smoke": "test debug quick fast_dev_run",
    "strategy": "distributed distribute multi_gpu ddp mirrored",
    "overwrite": "force clean restart",
    "resume": "continue continue_train",
}
# Of `train` alone, what people type for its workdir.
OUTPUT = set(
    "logdir log_dir output_dir outdir out output outputs save_dir savedir save_to "
    "save_path results results_dir exp_dir experiment checkpoint_dir o d".split()
)
NAMES = {"name", "run_name", "exp_name", "exp"}
# Values of flags that people type as flags.
SWITCHES = {
    "int8": ("quantize", "int8"),
    "fp16": ("quantize", "float16"),
    "float16": ("quantize", "float16"),
    "dynamic": ("quantize", "dynamic"),
    "tflite": ("to", "tflite"),
    "saved_model": ("to", "saved_model"),
    "web": ("to", "web"),
    "tfjs": ("to", "web"),
    "gif": ("out", "samples.gif"),
    "no_export": ("export", "none"),
}
# Flags of keys that have another name; other flags have the name of their key.
SHORT = {"data.dataset": "data"}
# Values to pass for a key that is typed without one.
EXAMPLES = {
    "train.precision": "mixed_bfloat16",
    "train.jit_compile": "yes",
    "data.horizontal_flip": "true",
    "hparams.augment": "ada",
    "train.evaluate_every": "1000",
}
WORDS = {"name", "image", "images", "input", "file", "files", "path", "kind", "source"}
# Words that no flag means, with the answer.
GPU = (
    "a GPU is used if TensorFlow sees one; CUDA_VISIBLE_DEVICES=0 before the command "
    "chooses one, CUDA_VISIBLE_DEVICES=-1 none"
)
ANSWERS = {
    "gpu gpus gpu_id gpu_ids device devices cuda num_gpus ngpu cpu use_gpu": GPU,
    "workers num_workers threads num_threads n_cpu j": "images are read by one thread "
    "or more for each core, without a flag; leave it out",
    "num_classes n_classes nclass classes conditional cond": "the data set has the "
    "classes; of a folder, each sub-folder is a class",
    "verbose v quiet q debug": "commands print what they do; leave it out",
    "wandb tensorboard log logger": "the workdir holds metrics.jsonl and the folder "
    "tensorboard; leave it out",
    "list models": "keras-gans zoo lists the models",
    "metric metrics fid kid": "all metrics are computed; leave it out",
    "batch_size batch bs": "the size of batches is chosen; leave it out",
    "out output outdir out_dir output_dir save_dir": "the files are written to the "
    "run's folder; leave it out",
    "version": "keras-gans --version prints the version",
    "num_gpu world_size nodes": "TF_CONFIG names the workers; see --strategy",
}
EPOCHS = {"epochs", "epoch", "num_epochs", "n_epochs", "max_epochs", "nepoch"}


def unknown_flag(
    name: str, argv: Sequence[str], values: flags.FlagValues, takes_words: bool
) -> str:
    """Return the end of the message for a flag that a command does not have.

    It holds the words to type instead, if they are known.

    Args:
        name: Name of the unknown flag, without dashes.
        argv: Words of the command line.
        values: Flags of the command.
        takes_words: Whether the command takes words that are not flags.
    """
    known, value = list(values), _value_of(name, argv)
    word = name.lower()
    if word in SWITCHES and SWITCHES[word][0] in known:
        return "; pass --{}={}".format(*SWITCHES[word])
    if {"model", "workdir"} <= set(known) and word in OUTPUT | NAMES:
        inside = word in NAMES and "/" not in value
        folder = f"runs/{value or 'NAME'}" if inside else value or "FOLDER"
        return f"; pass {shlex.quote(f'--workdir={folder}')}"
    for flag in known:
        if word == flag or word in MEANT.get(flag, "").split():
            boolean = values[flag].boolean
            return f"; pass {f'--{flag}' if boolean else _written(flag, value, values)}"
    if takes_words and word in WORDS and value:
        return f"; pass {shlex.quote(value)} without a flag"
    if "steps" in known and word in EPOCHS:
        return _epochs(value)
    if "set" in known:
        keys = [name] if "." in name else keys_of(word) or _keys(word, argv)
        short = SHORT.get(keys[0], keys[0].partition(".")[2]) if keys else ""
        if len(keys) == 1 and short in known:
            return f"; pass {_written(short, value)}"
        lines = [f"--set={key}={value or EXAMPLES.get(key, 'VALUE')}" for key in keys]
        if lines:
            return f"; pass {shlex.join(lines)}"
    for words, answer in ANSWERS.items():
        if word in words.split():
            return f": {answer}"
    return did_you_mean(name, known) if known else ": the command takes no flags"


def _value_of(name: str, argv: Sequence[str]) -> str:
    """Return the value that follows a flag, "" if there is none."""
    for number, word in enumerate(argv):
        flag, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and flag.replace("-", "_") == name:
            following = [*argv, ""][number + 1]
            return value if equals else "" if following[:1] == "-" else following
    return ""


def _written(flag: str, value: str, values: flags.FlagValues | None = None) -> str:
    """Return a flag and its value as a shell takes them."""
    if values is not None and values[flag].flag_type() in ("int", "float"):
        try:
            float(value)
        except ValueError:
            value = ""
    if flag in ("data", "dataset", "reference"):
        value = (*meant(value), value)[0]
    if flag in ("source", "workdir") and not os.path.exists(value):
        value = nearest_run(value) or value
    return shlex.quote(f"--{flag}={value}") if value else f"--{flag}=VALUE"


def _epochs(value: str) -> str:
    """Return the advice that translates epochs to steps."""
    count = int(value) if value.isdecimal() and len(value) < 6 else 10
    return (
        ": training is counted in steps, and steps = epochs * images / batch_size; "
        f"pass --steps={-(-count * 5000 // 64)}, for instance, for {count} epochs of "
        "5,000 images in batches of 64"
    )


def _keys(name: str, argv: Sequence[str]) -> list[str]:
    """Return the keys of this name in the recipe that a command line names."""
    try:
        tables = load_config(_value_of("model", argv) or "cgan").to_dict()
    except UserError:
        return []
    return [
        f"{table}.{name}"
        for table, keys in tables.items()
        if isinstance(keys, dict) and name in keys
    ]


def wrong_value(error: flags.IllegalFlagValueError, values: flags.FlagValues) -> str:
    """Return the message for a value of the wrong type.

    Args:
        error: Error of absl.
        values: Flags of the command.
    """
    text = " ".join(str(error).split("\n"))
    name, _, rest = text.removeprefix("flag --").partition("=")
    if name not in values:
        return text
    flag = values[name]
    value, _, reason = rest.partition(": ")
    about = flag.help.split(". ")[0].partition(";")[0].rstrip(".")
    kind, expected = flag.flag_type(), reason
    if kind in ("int", "float") and ("literal" in reason or "convert" in reason):
        number = "a whole number" if kind == "int" else "a number"
        expected = f"expected {number} ({about})"
    elif flag.boolean:
        expected = f"expected no value: --{name} or --no{name}"
    elif isinstance(flag.parser, flags.EnumParser):
        choices = flag.parser.enum_values
        near = nearest(value, choices)
        guess = f"; did you mean '{near}'?" if near else ""
        expected = f"expected one of {', '.join(choices)}{guess}"
    if name == "resume":
        return f"--resume={value}: {_resume(value)}"
    return f"--{name}={value}: {expected}"


def _resume(value: str) -> str:
    folder = f"; pass {shlex.quote(f'--workdir={value}')} --resume"
    return (
        "--resume takes no value and continues the run in --workdir"
        f"{folder if os.path.isdir(value) else ''}"
    )


def other_word(word: str, argv: Sequence[str], values: flags.FlagValues) -> str:
    """Return the message for a word that is no flag.

    Args:
        word: The word.
        argv: Words of the command line.
        values: Flags of the command.
    """
    known = list(values)
    before = ["", "", *argv][: [*argv, word].index(word) + 2]
    name, equals, _ = word.partition("=")
    first, hint = known[0] if known else "", ""
    if before[-2] == "--set":
        hint = f"; pass {shlex.quote(f'--set={before[-1]}={word}')}"
    elif before[-1] == "--resume":
        hint = f"; {_resume(word)}"
    elif equals and name in known:
        hint = f"; pass {shlex.quote(f'--{word}')}"
    elif word in SWITCHES and SWITCHES[word][0] in known:
        hint = "; pass --{}={}".format(*SWITCHES[word])
    elif first and not values[first].boolean and not values[first].present:
        hint = f"; pass {_written(first, word)}"
    return f"expected only flags, got {word!r}{hint} (see --help)"
