"""Models as bytes: a line that identifies them, JSON for structure, then little-endian arrays."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.errors import StorageError

MAGIC = b"imputedb model\n"


def packed(thing: object, version: int, kinds: Mapping[str, type]) -> bytes:
    """A dataclass and all its parts, as bytes.

    Dataclasses, named tuples and enumerations are lists that begin with their type's name in the format. A tuple is a
    list that holds one list. An array that occurs several times is stored once.
    """
    arrays = _Arrays({kind: name for name, kind in kinds.items()})
    whole = {"format": version, "model": _encoded(thing, arrays)}
    text = json.dumps(whole, separators=(",", ":"), allow_nan=False).encode()
    return MAGIC + len(text).to_bytes(8, "little") + text + b"".join(arrays.data)


def unpacked(data: bytes, version: int, kinds: Mapping[str, type]) -> Any:
    """The object in bytes that `packed` wrote.

    Args:
        data: the bytes.
        version: the newest format that can be read.
        kinds: by name in the format, the types of dataclasses, named tuples and enumerations that it may hold.

    Raises:
        StorageError: the bytes are cut short, are something else, or are of a newer format.
    """
    start = len(MAGIC) + 8
    if not data.startswith(MAGIC) or len(data) < start:
        raise StorageError("these bytes are not a model of imputedb")
    end = start + int.from_bytes(data[len(MAGIC) : start], "little")
    try:
        whole = json.loads(data[start:end])
        if whole["format"] > version:
            raise StorageError(
                f"the model is of format {whole['format']}, newer than this imputedb reads ({version}): update imputedb"
            )
        return _Decoder(kinds, data[end:]).of(whole["model"])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise StorageError(f"these bytes are not a complete model of imputedb ({error})") from error


class _Arrays:
    """The bytes of arrays, one after another, and the names of types."""

    def __init__(self, names: Mapping[type, str]) -> None:
        self.names = names
        self.data: list[bytes] = []
        self.size = 0
        self.known: dict[int, tuple[NDArray[Any], list[Any]]] = {}

    def placed(self, array: NDArray[Any]) -> list[Any]:
        """The reference to an array: its offset, type and shape; a new array is appended."""
        if id(array) not in self.known:
            little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            self.known[id(array)] = array, ["array", self.size, little.dtype.str, list(little.shape)]
            self.data.append(little.tobytes() or b"\0")  # no two arrays share an offset
            self.size += len(self.data[-1])
        return self.known[id(array)][1]


def _encoded(thing: object, arrays: "_Arrays") -> Any:
    match thing:
        case np.ndarray():
            return arrays.placed(thing)
        case slice():
            return ["slice", thing.start, thing.stop]
        case Enum():
            return [arrays.names[type(thing)], thing.value]
        case tuple():
            if hasattr(thing, "_fields"):
                return [arrays.names[type(thing)], *(_encoded(one, arrays) for one in thing)]
            return [[_encoded(one, arrays) for one in thing]]
        case _ if is_dataclass(thing):
            return [
                arrays.names[type(thing)],
                *(_encoded(getattr(thing, one.name), arrays) for one in fields(thing) if one.init),
            ]
        case _:
            return thing


class _Decoder:
    """A builder of objects from their JSON form; an array that occurs several times is built once."""

    def __init__(self, kinds: Mapping[str, type], data: bytes) -> None:
        self.kinds, self.data = kinds, data
        self.arrays: dict[int, NDArray[Any]] = {}

    def of(self, plain: Any) -> Any:
        """The object of a JSON form."""
        if not isinstance(plain, list):
            return plain
        name, *parts = plain
        if isinstance(name, list):
            return tuple(map(self.of, name))
        if name == "array":
            return self._array(*parts)
        return self.kinds[name](*map(self.of, parts))

    def _array(self, place: int, kind: str, shape: Sequence[int]) -> NDArray[Any]:
        if place not in self.arrays:
            size = int(np.prod(shape)) * np.dtype(kind).itemsize
            if place + size > len(self.data):
                raise ValueError("it is cut short")
            self.arrays[place] = np.frombuffer(self.data[place : place + size], kind).reshape(shape)
        return self.arrays[place]
