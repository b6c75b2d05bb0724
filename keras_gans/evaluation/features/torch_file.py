"""Reader of the tensors in a PyTorch file, without PyTorch or code from the file.

The format is that of `torch.save` before PyTorch 1.6. The file consists of:

- three pickles: a magic number, the version and the machine;
- a pickle of the object, with a reference for each storage;
- a pickle of the list of the storages' keys;
- each storage, as its length and its numbers.

A pickle can call any function. This reader allows only ordered dictionaries, the types
of storages, and its own replacement of the function that builds a tensor from a
storage.
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
    """Error for a file of another format, truncated, or with more than tensors."""


def read_tensors(path: str) -> dict[str, np.ndarray]:
    """Read the tensors of a model's state dict.

    Args:
        path: Path of a file in the format of `torch.save` before PyTorch 1.6.

    Returns:
        {name: array}.

    Raises:
        TorchFileError: If the file has another format, is truncated, or contains
            anything but tensors.
        OSError: If the file cannot be read.
    """
    storages: dict[str, np.ndarray] = {}
    with open(path, "rb") as file:
        try:
            magic = _Unpickler(file, storages).load()
            if magic != MAGIC:
                raise TorchFileError(f"{path}: expected torch.save's format before 1.6")
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
        raise TorchFileError(f"{path}: expected a dictionary of tensors")
    return tensors


class _Unpickler(pickle.Unpickler):
    """Unpickler that resolves storages, and builds arrays in place of tensors."""

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
        raise pickle.UnpicklingError(f"contains {module}.{name}, which is no tensor")

    def persistent_load(self, reference: tuple) -> np.ndarray:
        # ("storage", type, key, device, length, view); a whole model has no views
        _, dtype, key, _, length, _ = reference
        if key not in self._storages:
            self._storages[key] = np.zeros(length, dtype)
        return self._storages[key]


def _tensor(
    storage: np.ndarray, offset: int, shape: tuple, strides: tuple, *rest: Any
) -> np.ndarray:
    """Return a view into a storage that is filled later; `rest` concerns gradients."""
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if offset < 0 or min((*shape, *strides, 1)) < 1 or last >= len(storage):
        raise pickle.UnpicklingError("a tensor lies outside its storage")
    return np.lib.stride_tricks.as_strided(
        storage[offset:], shape, [s * storage.itemsize for s in strides]
    )


def _fill(file: BinaryIO, storage: np.ndarray) -> None:
    [length] = struct.unpack("<q", file.read(8))
    if length != len(storage):
        raise TorchFileError(
            f"{file.name}: a storage has {length} numbers, expected {len(storage)}"
        )
    data = file.read(storage.nbytes)
    if len(data) != storage.nbytes:
        raise TorchFileError(f"{file.name}: truncated")
    storage[:] = np.frombuffer(data, storage.dtype)
