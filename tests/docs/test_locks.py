"""The locks give what pyproject.toml asks for, so that the README's commands install what it allows."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def _project() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {"": project["dependencies"], **project["optional-dependencies"]}


def _wanted(extra: str) -> list[Requirement]:
    """The requirements of an extra, those of the extras it takes in place of them."""
    found = []
    for text in _project()[extra]:
        one = Requirement(text)
        if one.name == "imputedb":
            found += [inner for name in sorted(one.extras) for inner in _wanted(name)]
        else:
            found.append(one)
    return found


def _locked(name: str) -> dict[str, list[str]]:
    pins = re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;]+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE)
    found: dict[str, list[str]] = {}
    for package, version in pins:
        found.setdefault(canonicalize_name(package), []).append(version)
    return found


@pytest.mark.parametrize(("lock", "extra"), [("run.txt", "repl"), ("dev.txt", "dev")])
def test_a_lock_holds_what_is_asked_for(lock: str, extra: str) -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    wanted = [*_wanted(""), *_wanted(extra), *map(Requirement, build)]
    locked = _locked(lock)
    assert wanted
    for one in wanted:
        versions = locked.get(canonicalize_name(one.name))
        assert versions, f"{one.name} is not in {lock}: run requirements/lock"
        assert all(version in one.specifier for version in versions), f"{lock} has {one.name} {versions}, not {one}"


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt"])
def test_every_pin_has_hashes(lock: str) -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements" / lock).read_text().strip())
    assert len(entries) > 10
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
