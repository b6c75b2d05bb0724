"""Reads tensors from a PyTorch file without PyTorch, and without running its code.

The format is that of `torch.save` before version 1.6: three pickles (a magic number,
the version, the machine), the object with a reference for each storage, the list of
the storages' keys, and then each storage as its length and its numbers. A pickle can
call any function; here it may name an ordered dictionary, the types of storages and the
one function that makes a tensor of a storage, which is our own.
"""

from __future__ import annotations

import collections
import pickle
import struct
from typing import Any, BinaryIO

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class TorchFileError(ValueError):
    """The file is none, truncated, or holds more than tensors."""


def read_tensors(path: str) -> dict[str, np.ndarray]:
    """Reads the tensors of a model ("state dict").

    Args:
        path: The file; torch.save's format before 1.6.

    Returns:
        {name: array}.

    Raises:
        TorchFileError: if the file is of another format, truncated, or names anything
            but tensors.
        OSError: if it cannot be read.
    """
    storages: dict[str, np.ndarray] = {}
    with open(path, "rb") as file:
        try:
            magic = _Unpickler(file, storages).load()
            if magic != MAGIC:
                raise TorchFileError(f"{path}: not torch.save's format before 1.6")
            for _ in ("version", "machine"):
                _Unpickler(file, storages).load()
            tensors = _Unpickler(file, storages).load()
            for key in _Unpickler(file, storages).load():
                if key not in storages:
                    raise TorchFileError(f"{path}: no tensor uses storage {key}")
                _fill(file, storages[key])
        except TorchFileError:
            raise
        except (pickle.UnpicklingError, EOFError, struct.error) as error:
            raise TorchFileError(f"{path}: {error or 'truncated'}") from None
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            raise TorchFileError(f"{path}: not a file of tensors: {error}") from None
    if not isinstance(tensors, dict) or not all(
        isinstance(value, np.ndarray) for value in tensors.values()
    ):
        raise TorchFileError(f"{path}: expected tensors by name")
    return tensors


class _Unpickler(pickle.Unpickler):
    """Knows storages, by reference, and how a tensor is made of one."""

    def __init__(self, file: BinaryIO, storages: dict[str, np.ndarray]):
        super().__init__(file, encoding="utf-8")
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        raise pickle.UnpicklingError(f"names {module}.{name}, which is no tensor")

    def persistent_load(self, reference: tuple) -> np.ndarray:
        # ("storage", type, key, device, length, view: none in a whole model)
        _, dtype, key, _, length, _ = reference
        if key not in self._storages:
            self._storages[key] = np.zeros(length, dtype)
        return self._storages[key]


def _tensor(
    storage: np.ndarray, offset: int, shape: tuple, strides: tuple, *rest: Any
) -> np.ndarray:
    """A view into a storage, which is filled later; the rest is about gradients."""
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if offset < 0 or min((*shape, *strides, 1)) < 1 or last >= len(storage):
        raise pickle.UnpicklingError("a tensor lies outside of its storage")
    return np.lib.stride_tricks.as_strided(
        storage[offset:], shape, [s * storage.itemsize for s in strides]
    )


def _fill(file: BinaryIO, storage: np.ndarray) -> None:
    [length] = struct.unpack("<q", file.read(8))
    if length != len(storage):
        raise TorchFileError(
            f"{file.name}: a storage of {length} numbers, where {len(storage)} were due"
        )
    data = file.read(storage.nbytes)
    if len(data) != storage.nbytes:
        raise TorchFileError(f"{file.name}: truncated")
    storage[:] = np.frombuffer(data, storage.dtype)
