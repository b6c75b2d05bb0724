"""First tries of newcomers: each answer is one line, whose words can be pasted."""

import importlib
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from keras_gans.cli.main import main
from keras_gans.errors import did_you_mean, nearest, one_line

LR = "--set=g_optimizer.learning_rate={0} --set=d_optimizer.learning_rate={0}"
TRAIN = [
    ("--epochs 10", "steps = epochs * images / batch_size; pass --steps=782"),
    ("--num_epochs=3", "pass --steps=235, for instance, for 3 epochs"),
    ("--iterations=100", "pass --steps=100"),
    ("--max-steps 100", "pass --steps=100"),
    ("--train.steps=100", "pass --steps=100"),
    ("--batch 8", "pass --batch_size=8"),
    ("--bs=8", "pass --batch_size=8"),
    ("--lr 0.1", f"pass {LR.format('0.1')}"),
    ("--learning-rate=2e-4", f"pass {LR.format('2e-4')}"),
    ("--g_lr=2e-4", "pass --set=g_optimizer.learning_rate=2e-4"),
    ("--beta1 0.5", "pass --set=g_optimizer.beta_1=0.5 --set=d_optimizer.beta_1=0.5"),
    ("--size 64", "pass --image_size=64"),
    ("--resolution=64", "pass --image_size=64"),
    ("--img-size=64", "pass --image_size=64"),
    ("--dataset=folder:x", "pass --data=folder:x"),
    ("--dataset mnist", "pass --data=digits"),
    ("--dataroot photos", "pass --data=folder:photos"),
    ("--image_dir 'a b'", "pass '--data=folder:a b'"),
    ("--gpu 0", "CUDA_VISIBLE_DEVICES=0 before the command"),
    ("--gpus=2", "CUDA_VISIBLE_DEVICES"),
    ("--device=cuda:0", "CUDA_VISIBLE_DEVICES"),
    ("--out runs/x", "pass --workdir=runs/x"),
    ("--output_dir=runs/x", "pass --workdir=runs/x"),
    ("--outdir 'my runs'", "pass '--workdir=my runs'"),
    ("--name=first", "pass --workdir=runs/first"),
    ("--resume=runs/cgan", "pass --workdir=runs/cgan --resume"),
    ("--resume runs/cgan", "pass --workdir=runs/cgan --resume"),
    ("--resume latest", "--resume takes no value and continues the run in --workdir"),
    ("--num_classes=10", "the data set has the classes"),
    ("--latent_dim=64", "pass --set=generator.latent_dim=64"),
    ("--z_dim 64", "pass --set=generator.latent_dim=64"),
    ("--nz=64", "pass --set=generator.latent_dim=64"),
    ("--width=5", "pass --set=generator.width=5 --set=discriminator.width=5"),
    ("--d_steps=5", "pass --set=hparams.d_steps=5"),
    ("--n_critic 5", "pass --set=hparams.d_steps=5"),
    ("--augment=ada", "pass --set=hparams.augment=ada"),
    ("--flip", "pass --set=data.horizontal_flip=true"),
    ("--fp16", "pass --set=train.precision=mixed_bfloat16"),
    ("--log_every 10", "pass --set=train.log_every=10"),
    ("--save_every 10", "pass --set=train.checkpoint_every=10"),
    ("--pretrained runs/other", "pass --init_from=runs/other"),
    ("--num_workers=4", "leave it out"),
    ("--verbose", "leave it out"),
    ("--version", "keras-gans --version"),
    ("--fid", "pass --set=train.evaluate_every=1000"),
    ("--no_export", "pass --export=none"),
    ("--wandb", "leave it out"),
    ("--list", "keras-gans zoo lists the models"),
    ("--steps 100 200", "expected only flags, got '200' (see --help)"),
    ("--smok", "did you mean 'smoke'?"),
    ("--steps=1e3", "--steps=1e3: expected a whole number (Number of training steps)"),
    ("--steps=1,000", "--steps=1,000: expected a whole number"),
    ("--smoke=yes", "--smoke=yes: expected no value: --smoke or --nosmoke"),
    ("--strategy=mirror", "did you mean 'mirrored'?"),
    ("--strategy=gpu", "expected one of auto, one_device, mirrored, multi_worker"),
    ("--set train.steps 100", "pass --set=train.steps=100"),
    ("--set=steps=100", "pass --set=train.steps=100"),
    ("--set=learning_rate=1", f"pass {LR.format('1')}"),
    ("--set=train.batch_size=8", "pass --set=data.batch_size=8"),
    ("--set=optimizer.lr=1", "no table 'optimizer'; did you mean"),
    ("steps=100", "pass --steps=100"),
]
DATA = [
    ("photos", "did you mean 'folder:photos'?"),
    ("./photos/", "did you mean 'folder:./photos/'?"),
    ("photos/*.png", "did you mean 'folder:photos'?"),
    ("photos/0.png", "did you mean 'folder:photos'?"),
    ("mnist", "did you mean 'digits' or 'tfds:mnist'?"),
    ("MNIST", "did you mean 'digits' or 'tfds:mnist'?"),
    ("fashion-mnist", "did you mean 'fashion' or 'tfds:fashion_mnist'?"),
    ("Fashion_MNIST", "did you mean 'fashion' or 'tfds:fashion_mnist'?"),
    ("cifar10", "did you mean 'tfds:cifar10'?"),
    ("CIFAR-10", "did you mean 'tfds:cifar10'?"),
    ("celeba", "did you mean 'tfds:celeb_a'?"),
    ("imagenet", "did you mean 'tfds:imagenet2012'?"),
    ("horse2zebra", "did you mean 'tfds:cycle_gan/horse2zebra'?"),
    ("/no/such/folder", "no folder of that path; expected folder:PATH"),
    ("digitz", "did you mean 'digits'?"),
]
OTHERS = [
    ("train cgan", "pass --model=cgan"),
    ("train model=cgan", "pass --model=cgan"),
    ("train -m cgan", "pass --model=cgan"),
    ("train --config=x.toml", "pass --model=x.toml"),
    ("train --arch cgan", "pass --model=cgan"),
    ("train --model=CGAN", "did you mean 'cgan'?"),
    ("train --model='cgan '", "did you mean 'cgan'?"),
    ("train --model=WGAN-GP", "did you mean 'wgan_gp'?"),
    ("train --model=stylegan", "did you mean 'stylegan2'?"),
    ("sample --workdir=runs/cgan", "pass --source=runs/cgan"),
    ("sample --model=runs/cgan", "pass --source=runs/cgan"),
    ("sample --model cgan", "pass --source=runs/cgan"),
    ("sample runs/cgan", "pass --source=runs/cgan"),
    ("sample --source=runs", "did you mean runs/cgan?"),
    ("sample --source=cgan", "did you mean runs/cgan?"),
    ("sample --source=runs/cgan/checkpoints/x.npz", "did you mean runs/cgan?"),
    ("sample --source=dcgan", "keras-gans train --model=dcgan"),
    ("sample --source=photos/0.png", "got an image"),
    ("sample --source=empty", "got a folder with no files"),
    ("sample --interpolate=1,2", "expected a whole number (Seed of the last latent"),
    ("sample --num=many", "expected a whole number (Number of images"),
    ("sample --noise=x", "expected a number (Strength of the noise"),
    ("sample --num_images 4", "pass --num=4"),
    ("sample --class 4", "pass --label=4"),
    ("sample --output=x.png", "pass --out=x.png"),
    ("sample --psi 0.7", "pass --truncation=0.7"),
    ("sample --seeds=0-9", "no flag --seeds; pass --seed=VALUE"),
    ("evaluate --workdir=runs/cgan", "pass --source=runs/cgan"),
    ("evaluate --data=digits", "pass --dataset=digits"),
    ("evaluate --real=photos", "pass --reference=folder:photos"),
    ("evaluate --fid", "all metrics are computed"),
    ("evaluate --batch_size=4", "leave it out"),
    ("export --source=runs/cgan", "pass --workdir=runs/cgan"),
    ("export runs/cgan", "pass --workdir=runs/cgan"),
    ("export --workdir=cgan", "did you mean runs/cgan?"),
    ("export --format=tflite", "pass --to=tflite"),
    ("export --int8", "pass --quantize=int8"),
    ("export --out=x", "the files are written to the run's folder"),
    ("doctor --source=runs/cgan", "pass --workdir=runs/cgan"),
    ("doctor runs/cgan", "pass --workdir=runs/cgan"),
    ("export tflite", "pass --to=tflite"),
    ("doctor --log=runs/cgan/metrics.jsonl", "pass --workdir=runs/cgan"),
    ("--verison", "did you mean '--version'?"),
    ("zoo --model=cgan", "the command takes no flags"),
    ("new --name=my_gan", "pass my_gan without a flag"),
    ("new my-gan", "such as my_gan, got 'my-gan'"),
    ("watermark --image=x.png", "pass x.png without a flag"),
    ("benchmark throughput --models=cgan", "pass --model=cgan"),
    ("generate --source=x", "did you mean 'sample'?"),
    ("eval", "did you mean 'evaluate'?"),
    ("fit --model=cgan", "did you mean 'train'?"),
    ("Train", "did you mean 'train'?"),
    ("train.py --model cgan", "did you mean 'train'?"),
    ("--model=cgan", "keras-gans train --model=cgan"),
    ("cgan", "keras-gans train --model=cgan"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photos", "a b", "empty", "runs/cgan"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "runs" / "cgan" / "config.toml").write_text("")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save("photos/0.png")


def answer(line, capsys):
    """Run a line that is a mistake; return its answer."""
    assert main(shlex.split(line)) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and len(err) < 500
    return err


@pytest.mark.parametrize("words, message", TRAIN)
def test_first_tries_of_training(words, message, folder, capsys):
    told = answer(f"train --model=cgan --dry_run {words}", capsys)
    assert message in told
    # The answer works: its flags are pasted in the place of the words.
    pasted = re.search(r"pass ((?:(?:'--|--)\S.*?)+)(?:, for| \(see|$)", told.strip())
    if pasted and "VALUE" not in pasted[1]:
        argv = ["train", "--model=cgan", "--dry_run", *shlex.split(pasted[1])]
        assert main(argv) == 0, pasted[1]
        capsys.readouterr()


@pytest.mark.parametrize("name, message", DATA)
def test_first_names_of_data_sets(name, message, folder, capsys):
    assert message in answer(f"train --model=cgan --workdir=w '--data={name}'", capsys)


@pytest.mark.parametrize("line, message", OTHERS)
def test_first_tries_of_other_commands(line, message, folder, capsys):
    assert message in answer(line, capsys)


@pytest.mark.parametrize("word", ["-h", "--help", "-help", "help"])
@pytest.mark.parametrize("command", ["train", "sample", "doctor"])
def test_help_in_all_forms(command, word, capsys):
    module = importlib.import_module(f"keras_gans.{command}")
    for argv in ([command, word], ["help", command]):
        assert main(argv) == 0
        assert capsys.readouterr().out.startswith(module.__doc__[:30])


def test_package_runs_as_a_module():
    words = [sys.executable, "-m", "keras_gans"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "Commands:" in done.stdout and "  train " in done.stdout
    done = subprocess.run([*words, "trian"], capture_output=True, text=True)
    assert done.returncode == 2 and "did you mean 'train'?" in done.stderr


@pytest.mark.parametrize(
    "word, known, near",
    [
        ("cgan", ["cgan"], None),
        ("cgan", ["cgan", "CGAN"], "CGAN"),
        (" cgan ", ["cgan", "dcgan"], "cgan"),
        ("WGANGP", ["wgan", "wgan_gp"], "wgan_gp"),
        ("LearningRate", ["learning_rate", "rho"], "learning_rate"),
        ("stylegan", ["stylegan2", "wgan"], "stylegan2"),
        ("", ["a", "b"], None),
        ("-", ["a", "b"], None),
        ("x" * 10**6, ["a", "xx"], None),
        ("learning", ["learning_rate"], "learning_rate"),
    ],
)
def test_guess_never_repeats_what_was_typed(word, known, near):
    assert nearest(word, known) == near


def test_many_known_words_are_cut():
    hint = did_you_mean("x", [f"name_{n}" for n in range(1000)])
    assert len(hint) < 400 and hint.endswith("... (1000 in all)")


@pytest.mark.parametrize(
    "text, line",
    [
        ("a\nb", "a b"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u202eb\u0007", "a\\u202eb\\x07"),
        ("\udcff", "\\udcff"),
        ("é 中 🙂", "é 中 🙂"),
        ("tab\there", "tab\\there"),
    ],
)
def test_messages_are_one_line_of_text(text, line):
    assert one_line(text) == line


def test_long_messages_keep_both_ends():
    message = one_line(f"train.toml: {'9' * 5000}; {'word ' * 500}pass --steps=3")
    assert len(message) <= 470 and message.startswith("train.toml: 999")
    assert message.endswith("pass --steps=3") and one_line(message) == message
