"""Files that are written whole, and the remains of killed processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from typing import Any

from keras_gans.errors import UserError, first_line

TEMPORARY = ".tmp"  # ending of files and folders that are not complete


class WriteError(OSError):
    """Failure to write a file; the message is one line with the reason."""


@contextlib.contextmanager
def replacing(path: str, size: int = 0) -> Iterator[str]:
    """Yield a temporary path, which replaces `path` at the end of the block.

    An error deletes the temporary file. Only one process may write the file at a time;
    see `replacing_shared`.

    Args:
        path: Path of the file.
        size: Size of the file in bytes, for the error message; 0 if unknown.

    Raises:
        WriteError: If the file cannot be written.
    """
    temporary = path + TEMPORARY
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error, size) from None
    finally:
        remove(temporary)


@contextlib.contextmanager
def replacing_shared(path: str) -> Iterator[str]:
    """Yield a temporary path, as `replacing` does, for a file with several writers.

    Each writer has a temporary file of its own, and locks it, so that `sweep` removes
    only the files of processes that have ended.
    """
    temporary = f"{path}.{uuid.uuid4().hex}{TEMPORARY}"
    try:
        with open(temporary, "ab") as file:
            lock(file.fileno())
            yield temporary
            os.replace(temporary, path)  # before another process may remove it
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        remove(temporary)


@contextlib.contextmanager
def locked(path: str) -> Iterator[bool]:
    """Lock an existing file or folder inside the `with` block.

    Yields:
        Whether it is locked: not every file system has locks.

    Raises:
        BlockingIOError: If another process holds the lock.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield lock(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: str, *names: str) -> None:
    """Remove temporary files and folders that processes have left in a folder.

    Files that another process has locked are kept, and all files where the file system
    has no locks.

    Args:
        folder: Folder, which need not exist.
        *names: Beginnings of the names of this package's files; all temporary files of
            the folder if not given.
    """
    with contextlib.suppress(OSError):
        for entry in os.listdir(folder):
            name, dot, ending = entry.rpartition(".")
            if dot + ending != TEMPORARY or (names and not name.startswith(names)):
                continue
            path = os.path.join(folder, entry)
            with contextlib.suppress(OSError), locked(path) as is_locked:
                if is_locked:
                    remove(path)


def remove(path: str) -> None:
    """Delete a file or a folder, if there is one and it can be deleted."""
    with contextlib.suppress(OSError):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        elif os.path.lexists(path):
            os.remove(path)


def sync_folder(path: str) -> None:
    """Write a folder's entries to the disk, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def cannot_write(path: str, error: OSError, size: int = 0) -> WriteError:
    """Return the error of a file or folder that cannot be written.

    Args:
        path: Path of the file or folder.
        error: Reason.
        size: Size of the file in bytes; 0 if unknown.
    """
    if isinstance(error, WriteError):
        return error
    reason, free = error.strerror or first_line(error), free_bytes(path)
    room = f" (it takes {in_mib(size)})" if size else ""
    left = "" if free is None or not size else f"; the disk has {in_mib(free)} left"
    return WriteError(f"cannot write {path}{room}: {reason}{left}")


def in_mib(size: float) -> str:
    """Format a number of bytes as MiB, rounded up to a tenth."""
    return f"{-(-size * 10 // 2**20) / 10:,.1f} MiB"


def check_kinds(where: str, paths: dict[str, bool]) -> None:
    """Check that no file lies where a folder belongs, nor a folder in place of a file.

    Args:
        where: Beginning of the error message.
        paths: {path: whether it is a folder}; the paths need not exist.

    Raises:
        UserError: For the first path of another kind, or one that cannot be written.
    """
    for path, folder in paths.items():
        if not os.path.lexists(path):
            continue
        if not (os.path.isdir(path) if folder else os.path.isfile(path)):
            expected, other = ("folder", "file") if folder else ("file", "folder")
            raise UserError(
                f"{where}: '{path}' is a {other} where a {expected} belongs; move it "
                "elsewhere"
            )
        if not os.access(path, os.W_OK | (os.X_OK if folder else 0)):
            raise UserError(f"{where}: '{path}' cannot be written to")


def free_bytes(path: str) -> int | None:
    """Return the free bytes of the disk of a path; None if they are unknown.

    Args:
        path: Path, which need not exist yet.
    """
    path = os.path.abspath(path)
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


def lock(descriptor: Any) -> bool:
    """Lock an open file until it is closed.

    Args:
        descriptor: File, or its number.

    Returns:
        Whether it is locked: not every file system has locks.

    Raises:
        BlockingIOError: If another process holds the lock.
    """
    try:
        import fcntl  # not on Windows

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except (ImportError, OSError):
        return False
    return True
