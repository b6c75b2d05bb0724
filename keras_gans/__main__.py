"""The `keras-gans` program as `python -m keras_gans`."""

import sys

from keras_gans.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
