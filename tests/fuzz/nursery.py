"""Process that has imported TensorFlow, and forks a child for each command.

A line of stdin is JSON: [module, [words], file for stdout and stderr]. The answer is
the child's number, and then, in another line, its status.
"""

import importlib
import json
import os
import sys
import traceback

MODULES = ("keras_gans.train", "keras_gans.export.__main__", "keras_gans.sample")


def main():
    """Import, without starting TensorFlow's threads, and fork."""
    import keras  # noqa: F401
    import tensorflow  # noqa: F401

    for name in (*MODULES, "keras_gans.training.run", "keras_gans.strategies"):
        importlib.import_module(name)
    importlib.import_module("keras_gans.export.tflite")
    print("ready", flush=True)
    for line in sys.stdin:
        module, words, out = json.loads(line)
        child = os.fork()
        if not child:
            os._exit(live(module, words, out))
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def live(module, words, out):
    """Run a command in a child, and return its exit status."""
    try:
        file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number in (1, 2):
            os.dup2(file, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        return sys.modules[module].main(words)
    except KeyboardInterrupt:  # before the command's own handlers
        return 130
    except BaseException:
        traceback.print_exc()
        return 99
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


if __name__ == "__main__":
    main()
