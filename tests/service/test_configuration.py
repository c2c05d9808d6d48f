"""The configuration: every key has a sentence in the docs, mistakes are told by name."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from imputedb.errors import QueryError, StorageError
from imputedb.service.configuration import Configuration, load

DOCS = Path(__file__).resolve().parents[2] / "docs" / "service.md"


def keys(kind: type[BaseModel], before: str = "") -> Iterator[tuple[str, str]]:
    for name, field in kind.model_fields.items():
        inner = [one for one in (field.annotation, *getattr(field.annotation, "__args__", ())) if isinstance(one, type)]
        sections = [one for one in inner if issubclass(one, BaseModel)]
        if sections:
            yield from keys(sections[0], f"{before}{name}.")
        else:
            yield before + name, str(field.description)


def test_every_key_is_documented_with_its_sentence() -> None:
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.*?) \| (.*?) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    told = {name: sentence for name, _, sentence in rows if not name.startswith("imputedb_")}
    known = {re.sub(r"^roles\.(analyst|admin)\.", "roles.reader.", name): text for name, text in keys(Configuration)}
    assert told == known
    assert len(known) > 20


def test_a_file_is_read_and_the_command_line_goes_first(tmp_path: Path) -> None:
    path = tmp_path / "service.toml"
    path.write_text('http = "127.0.0.1:1"\nworkers = 3\n[roles.reader]\nseconds = 5\n[security]\ntokens = "t.toml"\n')
    found = load(path, http="127.0.0.1:2")
    assert (found.http, found.workers, found.roles.reader.seconds) == ("127.0.0.1:2", 3, 5.0)
    assert found.security.tokens == tmp_path / "t.toml"
    assert found.roles.analyst.draws == 200


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("wrokers = 3", "wrokers"),
        ("workers = 0", "workers"),
        ("workers = '3'", "workers"),
        ("[roles.king]\nrows = 1", "roles.king"),
        ("[roles.reader]\nseconds = inf", "roles.reader.seconds"),
        ("http = 'nowhere'", "HOST:PORT"),
        ("[security]\njwt_key = 'k.pem'", "jwt_issuer"),
        ("workers = ", "not valid TOML"),
    ],
)
def test_mistakes_are_told_by_name(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "service.toml"
    path.write_text(text)
    with pytest.raises(QueryError, match=word):
        load(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nix\.toml"):
        load(tmp_path / "nix.toml")
