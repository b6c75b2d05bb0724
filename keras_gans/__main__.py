"""Run the `keras-gans` program: `python -m keras_gans COMMAND`."""

import sys

from keras_gans.cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
