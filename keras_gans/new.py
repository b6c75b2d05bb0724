"""Create files for a new GAN: a module, a recipe and a test.

    python -m keras_gans.new my_gan

writes my_gan.py (a model class with its losses, and its networks), my_gan.toml (the
recipe) and test_my_gan.py. The test trains for a few steps, resumes the run, exports
the generator and samples from it:

    python -m pytest test_my_gan.py
    python -m keras_gans.train --model=my_gan.toml --allow_code

--allow_code runs the module that the recipe names.
"""

from __future__ import annotations

import importlib.resources
import importlib.util
import keyword
import os
import re
import sys

from absl import flags

from keras_gans.cli.run import run_command
from keras_gans.errors import UserError
from keras_gans.recipes.config import zoo_names

# Files of the template; my_gan and MyGAN are replaced by the new names.
FILES = ("my_gan.py", "my_gan.toml", "test_my_gan.py")


def write(name: str, folder: str = ".") -> list[str]:
    """Write a module, a recipe and a test from the template.

    Args:
        name: Name of the module and of the recipe.
        folder: Folder in which to write the files.

    Returns:
        Paths of the files.

    Raises:
        UserError: If the name is not valid or not free, if a file exists already, or
            if the folder is missing or not writable.
    """
    template = importlib.resources.files("keras_gans.cli") / "template"
    paths = {os.path.join(folder, f.replace("my_gan", name)): f for f in FILES}
    names = {"my_gan": name, "MyGAN": _class_name(name)}
    if not os.path.isdir(folder):
        raise UserError(f"--folder={folder}: the folder does not exist")
    for path in paths:
        if os.path.lexists(path):
            raise UserError(f"{path}: exists already; choose another name or --folder")
    _check_free(name, folder)
    for path, file in paths.items():
        text = (template / file).read_text("utf-8")
        text = re.sub("my_gan|MyGAN", lambda found: names[found[0]], text)
        try:
            with open(path, "x", encoding="utf-8") as new:
                new.write(text)
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}") from None
    return list(paths)


def _class_name(name: str) -> str:
    """Return the name of the class: MyGAN for my_gan."""
    words = [word for word in name.split("_") if word]
    joined = "".join(
        "GAN" if word == "gan" else word[0].upper() + word[1:] for word in words
    )
    valid = name.isidentifier() and joined.isidentifier()
    if not valid or name.startswith("_") or keyword.iskeyword(name):
        near = re.sub(r"\W+", "_", name.removesuffix(".py")).lower()
        valid = near.isidentifier() and not keyword.iskeyword(near) and near[0] != "_"
        raise UserError(
            f"expected a valid module name such as {near if valid else 'my_gan'}, got "
            f"'{name}'"
        )
    return joined


def _check_free(name: str, folder: str) -> None:
    """Check that no other module and no recipe of the zoo has the name."""
    if name in zoo_names():
        raise UserError(f"'{name}' is a model of the zoo; choose another name")
    spec = importlib.util.find_spec(name)
    origin = spec and spec.origin  # None for a folder without modules
    here = {os.path.realpath(f) for f in (".", folder)}
    if name in sys.stdlib_module_names or (
        origin and os.path.realpath(os.path.dirname(origin)) not in here
    ):
        raise UserError(f"'{name}' is an installed module; choose another name")


def define_flags(values: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_string("folder", ".", "Folder in which to write.", flag_values=values)


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run_command("new", __doc__, define_flags, _main, argv, takes_words=True)


def _main(values: flags.FlagValues, words: list[str]) -> None:
    if len(words) != 1:
        raise UserError(f"expected one name, as in new my_gan, got {len(words)}")
    for path in write(words[0], os.path.expanduser(values.folder)):
        print(f"wrote {os.path.normpath(path)}")


if __name__ == "__main__":
    sys.exit(main())
