"""Partitions stored beside a database: in `NAME.neighbours/`, one file for each fingerprint of rows."""

import json
import secrets
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from time import time
from zipfile import BadZipFile

import numpy as np

from imputedb.neighbours.partition import Partition

FORMAT = 1
MOST_FILES = 8
"""Files at most; the ones not made for the longest time go first."""


@dataclass(frozen=True, slots=True)
class StoredIndexes:
    """A stored partition with its time of creation, in seconds since 1970."""

    partition: Partition
    made: float


def _path(database: str, fingerprint: str) -> Path:
    name = blake2b(f"{FORMAT} {fingerprint}".encode(), digest_size=12).hexdigest()
    return Path(f"{database}.neighbours") / f"{name}.npz"


def keep(database: str, fingerprint: str, partition: Partition, made: float) -> None:
    """Writes a partition atomically. It is only a cache: an error of the disk is ignored."""
    path = _path(database, fingerprint)
    temporary = path.with_name(f".{secrets.token_hex(8)}.npz")
    head = json.dumps({"fingerprint": fingerprint, "made": made, "recall": partition.recall})
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        with temporary.open("xb") as file:
            np.savez(
                file,
                head=np.array(head),
                centres=partition.centres,
                order=partition.order.astype(np.int32),
                offsets=partition.offsets,
                probes=np.array(partition.probes),
            )
        temporary.replace(path)
        files = sorted(path.parent.glob("*.npz"), key=lambda file: file.stat().st_mtime)
        for old in files[:-MOST_FILES]:
            old.unlink()
    with suppress(OSError):
        temporary.unlink(missing_ok=True)


def taken(database: str, fingerprint: str) -> StoredIndexes | None:
    """The partition with a fingerprint; None where there is none, or the file is damaged."""
    try:
        with np.load(_path(database, fingerprint), allow_pickle=False) as file:
            head = json.loads(str(file["head"]))
            order, offsets = file["order"].astype(np.int64), file["offsets"].astype(np.int64)
            lists = np.empty(len(order), np.int64)
            lists[order] = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
            found = Partition(file["centres"], order, offsets, lists, int(file["probes"]), float(head["recall"]))
    except (OSError, ValueError, KeyError, IndexError, EOFError, BadZipFile):
        return None
    return StoredIndexes(found, min(float(head["made"]), time())) if head["fingerprint"] == fingerprint else None
