"""Progress output of commands, in a terminal and without one."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time

import pytest

from keras_gans.terminal.progress import ProgressBar, in_words

SHOW, HIDE = "\x1b[?25h", "\x1b[?25l"  # the cursor


def run_in_terminal(program, *args, columns=80):
    """Run a program in a terminal of its own; return (status, output)."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("COLUMNS", None)
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, args)],
        stdin=its,
        stdout=its,
        stderr=its,
        env=environment,
    )
    os.close(its)
    written = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # on Linux, the other side has closed
            break
        if not part:
            break
        written += part
    os.close(ours)
    return process.wait(), written.decode()


def lines_of(written):
    """Lines of a terminal and their successive states, without colors."""
    plain = re.sub(
        r"\x1b\[[0-9;?]*[a-zA-Z]", "\n", re.sub(r"\x1b\[[\d;]*m", "", written)
    )
    return [line.strip() for line in re.split(r"[\r\n]+", plain) if line.strip()]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "a few seconds"),
        (12.0, "about 10 seconds"),
        (54.9, "about 55 seconds"),
        (55.0, "about 1 minute"),
        (148.0, "about 2 minutes"),
        (9.4 * 60, "about 9 minutes"),
        (9.6 * 60, "about 10 minutes"),
        (51 * 60, "about 50 minutes"),
        (88 * 60, "about 1.5 hours"),
        (3 * 3600, "about 3 hours"),
        (9.8 * 3600, "about 10 hours"),
        (47 * 3600, "about 47 hours"),
        (80 * 3600, "about 3 days"),
    ],
)
def test_durations_in_words(seconds, words):
    assert in_words(seconds) == words


def test_plain_lines_come_seldom_and_say_the_time_left(monkeypatch, capsys):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with ProgressBar(1000, "images", "samples") as bar:
        for done in range(10, 1001, 10):
            now += 1.0
            bar.update(done)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "samples: 200/1000, about 1 minute left, 10.0 images/s"
    assert lines[-1] == "samples: 1000/1000, in about 2 minutes, 10.0 images/s"
    assert len(lines) == 5


def test_task_that_ends_early_says_what_it_did(monkeypatch, capsys):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with ProgressBar(10, "images", "samples") as bar:
        now += 12.0
        bar.update(3)
    shown = capsys.readouterr().out
    assert shown == "samples: 3/10, in about 10 seconds, 0.25 images/s\n"
    with pytest.raises(KeyError), ProgressBar(10, "images", "samples") as bar:
        raise KeyError
    assert not capsys.readouterr().out


@pytest.mark.parametrize("columns", [0, 30, 200])  # 0: unknown width
def test_bar_is_drawn_below_what_is_printed(columns):
    program = (
        "import time\n"
        "from keras_gans.terminal.progress import ProgressBar\n"
        "ProgressBar.EVERY = 0.0\n"
        "bar = ProgressBar(4, 'steps', waiting='compiling the first step')\n"
        "time.sleep(0.6)\n"
        "for step in range(1, 5):\n"
        "    time.sleep(0.05)\n"
        "    bar.update(step, lambda: '  '.join(['d_real 0.250'] * 9))\n"
        "    if step == 2: print('doctor: [bold] a line')\n"
        "bar.close()\n"
        "print('the end')\n"
    )
    status, written = run_in_terminal(program, columns=columns)
    assert status == 0
    lines = lines_of(written)
    turns = [line for line in lines if line.endswith(" compiling the first step")]
    assert len(set(turns)) > 1  # states of the spinner
    bars = [line for line in lines if re.match(r"[1-4]/4 ", line)]
    assert [n for n in "1234" if any(b[0] == n for b in bars)] == list("1234")
    assert all("━" in line and len(line) <= (columns or 80) for line in bars)
    if columns == 200:
        assert "a few seconds left" in bars[-4] and "steps/s  d_real 0.250" in bars[-4]
    assert lines.index(turns[-1]) < lines.index("doctor: [bold] a line")
    assert lines[-1] == "the end" and lines[-2].startswith("4/4 ")
    assert written.rindex(SHOW) > written.rindex(HIDE)


def test_failing_task_leaves_a_clean_terminal():
    program = (
        "import sys\n"
        "from keras_gans.terminal.progress import ProgressBar\n"
        "try:\n"
        "    with ProgressBar(4, 'images', 'samples') as bar:\n"
        "        bar.update(1)\n"
        "        raise KeyboardInterrupt\n"
        "except KeyboardInterrupt: print('interrupted', file=sys.stderr)\n"
    )
    status, written = run_in_terminal(program)
    assert status == 0 and HIDE in written
    assert written.rindex(SHOW) > written.rindex(HIDE)
    assert lines_of(written)[-1] == "interrupted"


def test_failing_run_leaves_a_clean_terminal(tmp_path):
    program = (
        "import sys\n"
        "from keras_gans import train\n"
        "from keras_gans.backend import import_backend\n"
        "import_backend()\n"
        "from keras_gans import engine\n"
        "from keras_gans.errors import UserError\n"
        "make = engine.train_function\n"
        "def failing(model, sizes):\n"
        "    step, calls = make(model, sizes), []\n"
        "    def call(batches):\n"
        "        calls.append(1)\n"
        "        if len(calls) == 3: raise UserError('no memory')\n"
        "        return step(batches)\n"
        "    return call\n"
        "engine.train_function = failing\n"
        "args = ['--model=gan', '--smoke', '--export=none']\n"
        "sys.exit(train.main([*args, f'--workdir={sys.argv[1]}']))\n"
    )
    status, written = run_in_terminal(program, tmp_path)
    lines = lines_of(written)
    assert status == 2 and lines[-1] == "train: no memory", written
    assert "compiling the first step" in written
    assert any(re.match("1/6 .*━", line) for line in lines)
    assert written.rindex(SHOW) > written.rindex(HIDE)
