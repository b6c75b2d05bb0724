"""Ends of a command: signals, and a reader of the output that has left."""

import errno
import functools
import os
import signal
import subprocess
import sys
import time

import pytest

from keras_gans import train
from keras_gans.cli import main
from keras_gans.cli.run import run_command
from keras_gans.errors import UserError
from keras_gans.terminal.output import Output


def command(body):
    return run_command("try", "Doc.", lambda values: None, body, [])


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_end_a_command_with_a_line(name, capsys):
    number, cleaned = getattr(signal, name), []
    before = signal.getsignal(number)
    if before == signal.SIG_IGN:
        pytest.skip("nohup ignores the signal")

    def body(values):
        try:
            signal.raise_signal(number)
        finally:
            cleaned.append(True)

    assert command(body) == 130
    assert capsys.readouterr().err == "try: interrupted\n" and cleaned
    assert signal.getsignal(number) is before


def test_an_interrupt_that_native_code_has_replaced(capsys):
    def body(values, message="active exception types: REPLACED BY KeyboardInterrupt"):
        raise RuntimeError(message)

    assert command(body) == 130
    assert capsys.readouterr().err == "try: interrupted\n"
    with pytest.raises(RuntimeError, match="another"):
        command(functools.partial(body, message="another error"))


def test_a_signal_during_garbage_collection_is_not_lost(capsys):
    class Garbage:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    def body(values):
        Garbage()
        time.sleep(5)

    assert command(body) == 130
    assert capsys.readouterr().err == "try: interrupted\n"


def test_nohup_is_respected():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert command(lambda values: signal.raise_signal(signal.SIGHUP)) == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    "error, line, status",
    [
        (OSError(errno.ENOSPC, "No space left", "a"), "try: a: No space left", 1),
        (OSError("no reason"), "try: no reason", 1),
        (PermissionError(errno.EACCES, "denied", "b"), "try: b: denied", 1),
        (IsADirectoryError(errno.EISDIR, "a folder", "c"), "try: c: a folder", 1),
        (OSError(), "try: OSError", 1),
        (UserError("mistake"), "try: mistake", 2),
    ],
)
def test_errors_of_files_are_one_line(error, line, status, capsys):
    def body(values):
        raise error

    assert command(body) == status
    assert capsys.readouterr().err == f"{line}\n"


def test_names_of_any_bytes_can_be_printed(capsys):
    assert command(lambda values: print(os.fsdecode(b"caf\xe9"))) == 0
    assert capsys.readouterr().out == "caf\\udce9\n"


class Stream:
    """Stand-in for stdout, whose reader leaves after some characters."""

    def __init__(self, left, reason):
        self.text, self._left, self._reason = "", left, reason

    def write(self, text):
        """Write, or fail."""
        if len(self.text) + len(text) > self._left:
            raise OSError(self._reason, "gone")
        self.text += text

    def flush(self):
        """Fail once the reader has left."""
        self.write("")


@pytest.mark.parametrize("reason", [errno.EPIPE, errno.EIO, errno.ENOSPC, errno.EBADF])
@pytest.mark.parametrize("left", [0, 3, 99])
def test_output_survives_its_reader(left, reason):
    lost = []
    stream = Stream(left, reason)
    output = Output(stream, lambda: lost.append(True))
    for word in ("one", "two", "three"):
        print(word, end="", file=output, flush=True)
    assert stream.text == {0: "", 3: "one", 99: "onetwothree"}[left]
    assert bool(lost) == (left < 99)
    assert output.text == stream.text  # other attributes are those of the stream


def test_training_stops_with_a_checkpoint_if_its_reader_leaves(
    tmp_path, monkeypatch, capsys
):
    from keras_gans.training import callbacks

    words = ["--model=gan", "--smoke", f"--workdir={tmp_path}", "--set=train.steps=50"]
    step = callbacks.StopOnSignal.on_step

    def on_step(self, number, logs):
        if number == 3:
            stream, self._output.stream = self._output.stream, Stream(0, errno.EPIPE)
            print("one more line")
            self._output.stream = stream
        step(self, number, logs)

    monkeypatch.setattr(callbacks.StopOnSignal, "on_step", on_step)
    assert train.main(words) == 130
    assert "interrupted at step 3" in capsys.readouterr().out
    assert (tmp_path / "checkpoints" / "step_00000003.npz").is_file()
    assert not (tmp_path / "export").exists()


@pytest.mark.second
@pytest.mark.parametrize("end", ["2>/dev/null | head -1", "2>&1 | head -1", ">&-"])
def test_pipes_that_are_closed(end, tmp_path):
    """No traceback, and a checkpoint: the issue's case output-closed-early."""
    words = f"{sys.executable} -m keras_gans.train --model=gan --smoke"
    line = f"{words} --workdir={tmp_path}/run {end}; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert "Traceback" not in done.stdout + done.stderr
    assert list((tmp_path / "run" / "checkpoints").glob("step_*.npz"))
    assert done.stdout.splitlines()[-1] in ("0", "130")


@pytest.mark.parametrize("words", [[], ["--help"], ["--version"], ["help", "zoo"]])
def test_help_survives_the_end_of_its_reader(words, monkeypatch):
    """A closed pipe ends the program with status 1, without a traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as closed:
        monkeypatch.setattr("sys.stdout", closed)
        assert main.main(words) == 1
