"""Output stream that shows control characters of names as text."""

from __future__ import annotations

from typing import Any, TextIO

from keras_gans.device.sampler import shown


class ShownStream:
    """Text stream that escapes control characters, except line ends and tabs.

    Names of files, classes and recipes come from other people. Escape sequences in them
    could otherwise change a terminal. Characters that the stream cannot encode are
    escaped as well.

    Args:
        stream: Stream to write to.

    Attributes:
        stream: The same stream, for output that may control the terminal.
    """

    def __init__(self, stream: TextIO):
        self.stream = stream

    def write(self, text: str) -> int:
        """Write text, and return its length."""
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        plain = shown(text, keep="\n\t")
        self.stream.write(plain.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        """Write buffered text."""
        self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        """Return another attribute of the stream."""
        return getattr(self.stream, name)
