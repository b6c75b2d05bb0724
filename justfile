set positional-arguments

# Tasks of a developer; `just` lists them. `pip install -e .[test,dev]` installs `just` and
# what the tasks need.

python := if path_exists(".venv/bin/python") == "true" { ".venv/bin/python" } else { "python3" }

# List the tasks.
default:
    @just --list

# Format, lint and types.
check:
    {{python}} -m ruff format --check .
    {{python}} -m ruff check .
    {{python}} -m pyright --pythonpath "$({{python}} -c "import sys; print(sys.executable)")"

# The first tier of the tests; `just test -m slow` passes words on to pytest.
test *words:
    {{python}} -m pytest -n 2 "$@"

# Build the site into docs/_build, with warnings as errors.
docs:
    {{python}} docs/pages.py
    {{python}} -m sphinx -W --keep-going -q -b html docs docs/_build
