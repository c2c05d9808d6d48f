"""The manifest of a run, sealed with a hash when it is written, and checked when it is read."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imputedb.completion.publication import MANIFEST
from imputedb.errors import StorageError
from imputedb.notes import Note, NoteKind, as_data, is_data

FORMAT = 2
"""Version of the manifest's format, increased when older readers would misread it. Notes of format 1 are texts only."""

SEAL = "sha256"
"""The key of the hash of all other entries."""

_NUMBER = (int, float)
_Kinds = Mapping[str, type | tuple[type, ...]]

_KINDS: _Kinds = {
    **dict.fromkeys(("source", "imputer", "settings", "assumption", "fingerprint"), str),
    **dict.fromkeys(("m", "rows", "seed"), int),
    **dict.fromkeys(("long", "flags"), bool),
    **dict.fromkeys(("columns", "left"), dict),
    "files": list,
    "seconds": _NUMBER,
}
_FILE: _Kinds = {"file": str, "sha256": str}
_CHAINS: _Kinds = {
    "warning": (str, type(None)),
    "rhat": (*_NUMBER, type(None)),
    "statistic": str,
    "cycles": int,
}
_COLUMN: _Kinds = {"method": str, "imputed": int, "imputed_share": _NUMBER, "notes": list}


def sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest with the hash of its content."""
    return {**manifest, SEAL: _hash(manifest)}


def intact(found: Mapping[str, Any], *, strictly: bool = False) -> bool:
    """Whether the content has the hash that it was sealed with; without a hash only if not `strictly`."""
    return bool(found.get(SEAL, None if strictly else _hash(found)) == _hash(found))


def read(run: Path) -> dict[str, Any]:
    """The manifest of a run's folder.

    Raises:
        StorageError: the manifest is missing, altered or incomplete, or names files in other folders.
    """
    path = run / MANIFEST
    found: dict[str, Any]
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StorageError(f"no completed data sets in {run}: `imputedb impute` writes them") from error
    except (ValueError, RecursionError) as error:
        raise StorageError(f"{path} is damaged, it is not valid JSON: write the run again") from error
    if isinstance(found, dict) and isinstance(found.get("format"), int) and found["format"] > FORMAT:
        raise StorageError(f"{path} was written by a newer imputedb: read it with that version")
    if not _is_whole(found) or not all(_is_inside(run, part["file"]) for part in found["files"]):
        raise StorageError(f"{path} is damaged, or names files outside its folder: write the run anew")
    if not intact(found):
        raise StorageError(f"{path} is damaged, it does not say what was written: write the run again")
    return _with_kinds(found)


def _with_kinds(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest whose notes have kinds; notes of format 1 get the kind SAID."""
    columns = {
        name: column | {"notes": list(map(_kinded, column["notes"]))} for name, column in manifest["columns"].items()
    }
    return manifest | {"columns": columns, "warnings": list(map(_kinded, manifest.get("warnings", [])))}


def _kinded(note: Any) -> Any:
    return as_data(Note(NoteKind.SAID, "", note)) if isinstance(note, str) else note


def _hash(manifest: Mapping[str, Any]) -> str:
    content = {name: value for name, value in manifest.items() if name != SEAL}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _is_whole(found: Any) -> bool:
    """Whether a manifest has all required entries."""
    if not _has(found, _KINDS) or found["m"] < 1 or len(found["files"]) != (1 if found["long"] else found["m"]):
        return False
    lists = [found.get(name, []) for name in ("targets", "intervals")]
    if not all(isinstance(one, list) for one in lists) or not _are_notes(found.get("warnings", [])):
        return False
    texts = [*found["left"].values(), *(text for one in lists for text in one)]
    chains = found.get("convergence")
    if not all(isinstance(text, str) for text in texts) or not (chains is None or _has(chains, _CHAINS)):
        return False
    return all(_has(part, _FILE) for part in found["files"]) and all(map(_is_column, found["columns"].values()))


def _are_notes(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(note, str) or is_data(note) for note in found)


def _is_column(column: Any) -> bool:
    if not _has(column, _COLUMN) or not _are_notes(column["notes"]):
        return False
    means = column.get("means", [])
    if not isinstance(means, list) or not isinstance(column.get("rhat", "" if means else None), (*_NUMBER, type(None))):
        return False
    lengths = {len(chain) if isinstance(chain, list) else -1 for chain in means}
    return lengths <= {max(lengths, default=0)} - {-1} and all(isinstance(v, _NUMBER) for chain in means for v in chain)


def _has(found: Any, kinds: _Kinds) -> bool:
    return isinstance(found, dict) and all(
        name in found and isinstance(found[name], kind) and (kind is bool or not isinstance(found[name], bool))
        for name, kind in kinds.items()
    )


def _is_inside(run: Path, file: str) -> bool:
    """Whether a file of a manifest lies in its folder after links are resolved."""
    try:
        return (run / file).resolve().is_relative_to(run.resolve())
    except (OSError, ValueError):
        return False
