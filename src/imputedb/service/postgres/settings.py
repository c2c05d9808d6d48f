"""Settings of a session: ours, those of clients that are heeded, and those that are taken note of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from imputedb.errors import QueryError
from imputedb.service.errors import Refusal

VERSION = "15.0"
"""Of PostgreSQL, whose protocol and catalog are spoken."""


class Unknown(Refusal):
    """A setting that there is not, or that cannot have a value."""

    state = "22023"


class Unrecognized(Unknown):
    """A setting that there is not."""

    state = "42704"


def _number(text: str) -> float:
    found = float(text)
    if not 0 <= found <= 1:
        raise ValueError
    return found


def _level(text: str) -> float:
    found = float(text)
    if not 0 < found < 1:
        raise ValueError
    return found


def _whole(text: str) -> int:
    found = int(text)
    if not 0 <= found < 2**63:
        raise ValueError
    return found


def _draws(text: str) -> int | str:
    if text == "auto":
        return text
    found = int(text)
    if not 1 <= found <= 100_000:
        raise ValueError
    return found


def _imputers(text: str) -> str | list[str]:
    names = [name.strip() for name in text.split(",")]
    return names[0] if len(names) == 1 else names


def _among(*words: str) -> Callable[[str], str]:
    def chosen(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return chosen


def _column(text: str) -> str | None:
    return text or None


OURS: Mapping[str, tuple[str, Callable[[str], Any], str]] = {
    "alpha": ("0", _number, "a number from 0 (the best answer) to 1 (the fastest)"),
    "imputer": ("tree", _imputers, "the name of an imputer, or several with commas between"),
    "seed": ("0", _whole, "a whole number"),
    "m": ("1", _draws, "a number of draws, or auto"),
    "interval": ("population", _among("population", "answer"), "population or answer"),
    "level": ("0.95", _level, "a number between 0 and 1"),
    "fit": ("auto", _among("auto", "query", "table"), "auto, query or table"),
    "method": ("imputation", _among("imputation", "aipw", "ml", "bounds"), "imputation, aipw, ml or bounds"),
    "weights": ("", _column, "the name of a column, or nothing"),
    "clusters": ("", _column, "the name of a column, or nothing"),
}
"""By name what it is unless set, what reads it, and what it may be; each is set as `imputedb.NAME`."""

PREFIX = "imputedb."

_DEFAULTS: Mapping[str, str] = {
    "application_name": "",
    "backslash_quote": "safe_encoding",
    "bytea_output": "hex",
    "check_function_bodies": "on",
    "client_encoding": "UTF8",
    "client_min_messages": "notice",
    "datestyle": "ISO, MDY",
    "default_table_access_method": "heap",
    "default_tablespace": "",
    "default_transaction_deferrable": "off",
    "default_transaction_isolation": "repeatable read",
    "default_transaction_read_only": "on",
    "enable_seqscan": "on",
    "escape_string_warning": "on",
    "extra_float_digits": "1",
    "geqo": "on",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "in_hot_standby": "off",
    "integer_datetimes": "on",
    "intervalstyle": "postgres",
    "is_superuser": "off",
    "jit": "off",
    "lc_collate": "C.UTF-8",
    "lc_ctype": "C.UTF-8",
    "lc_messages": "C.UTF-8",
    "lc_monetary": "C.UTF-8",
    "lc_numeric": "C.UTF-8",
    "lc_time": "C.UTF-8",
    "lock_timeout": "0",
    "max_identifier_length": "63",
    "max_index_keys": "32",
    "password_encryption": "scram-sha-256",
    "row_security": "on",
    "search_path": '"$user", public',
    "server_encoding": "UTF8",
    "server_version": VERSION,
    "server_version_num": "150000",
    "session_authorization": "",
    "standard_conforming_strings": "on",
    "statement_timeout": "0",
    "synchronize_seqscans": "on",
    "timezone": "UTC",
    "transaction_deferrable": "off",
    "transaction_isolation": "repeatable read",
    "transaction_read_only": "on",
    "work_mem": "4MB",
    "xmloption": "content",
}

_FIXED = {
    "bytea_output": ("hex",),
    "default_transaction_read_only": ("on", "true", "1", "yes"),
    "transaction_read_only": ("on", "true", "1", "yes"),
    "client_encoding": ("utf8", "utf-8", "unicode"),
    "intervalstyle": ("postgres",),
    "standard_conforming_strings": ("on", "true", "1", "yes"),
}
"""Settings with the values that they may have here: any other would have to change answers."""

_READ_ONLY = (
    "in_hot_standby", "integer_datetimes", "is_superuser", "lc_collate", "lc_ctype", "max_identifier_length",
    "max_index_keys", "server_encoding", "server_version", "server_version_num",
)  # fmt: skip

REPORTED = {
    "application_name": "application_name", "client_encoding": "client_encoding", "datestyle": "DateStyle",
    "default_transaction_read_only": "default_transaction_read_only", "in_hot_standby": "in_hot_standby",
    "integer_datetimes": "integer_datetimes", "intervalstyle": "IntervalStyle", "is_superuser": "is_superuser",
    "server_encoding": "server_encoding", "server_version": "server_version",
    "session_authorization": "session_authorization", "standard_conforming_strings": "standard_conforming_strings",
    "timezone": "TimeZone",
}  # fmt: skip
"""Settings of which clients are told at the start and whenever they change, as they are spelled then."""

_LEVELS = ("debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error")
_UTC = ("utc", "gmt", "etc/utc", "etc/gmt", "z", "zulu", "uct", "+00", "+00:00", "0", "gmt0")
_SCHEMAS = ("public", "main", '"$user"', "$user", "pg_catalog", "pg_temp", "", '""')
_ALIASES = {"time zone": "timezone", "transaction isolation level": "transaction_isolation", "names": "client_encoding"}
_UNITS = {"": 1.0, "us": 1e-3, "ms": 1.0, "s": 1e3, "min": 6e4, "h": 36e5, "d": 864e5}


Kept = tuple[dict[str, str], dict[str, str | None]]
"""Settings at a place of a transaction: their values, and those that local ones stand for."""


@dataclass(slots=True)
class Settings:
    """The settings of one session."""

    user: str
    values: dict[str, str] = field(default_factory=dict)
    _begun: dict[str, str] | None = None
    _local: dict[str, str | None] = field(default_factory=dict)
    _first: dict[str, str] = field(default_factory=dict)

    def started(self) -> None:
        """Takes what is set now as what RESET goes back to."""
        self._first = dict(self.values)

    def get(self, name: str) -> str:
        """The value of a setting.

        Raises:
            Unrecognized: there is none of the name.
        """
        known = _known(name)
        if known == "session_authorization":
            return self.user
        default = OURS[known.removeprefix(PREFIX)][0] if known.startswith(PREFIX) else _DEFAULTS[known]
        return self.values.get(known, default)

    def set(self, name: str, value: str | None, *, local: bool = False) -> str | None:
        """Sets a setting, or back to what it was at the start with None; what is to be said of it.

        Raises:
            Unrecognized: there is none of the name.
            Unknown: it cannot have the value.
        """
        known, said = _known(name), None
        if value is None:
            value = self._first.get(known)
        else:
            said = _check(known, value)
            value = "UTC" if known == "timezone" else "UTF8" if known == "client_encoding" else value
        if local and self._begun is None:
            return "SET LOCAL stands in a transaction only: it has no effect here"
        if local:
            self._local.setdefault(known, self.values.get(known))
        else:
            self._local.pop(known, None)
        self._put(known, value)
        return said

    def _put(self, known: str, value: str | None) -> None:
        if value is None:
            self.values.pop(known, None)
        else:
            self.values[known] = value

    def reset(self) -> None:
        """Sets all back to what they were at the start."""
        self.values = dict(self._first)

    def begin(self) -> None:
        """Takes note of a transaction."""
        self._begun = dict(self.values)

    def end(self, *, is_kept: bool) -> None:
        """The end of a transaction: settings of one that is rolled back, and local ones, are as they were before."""
        if self._begun is not None and not is_kept:
            self.values = self._begun
        elif is_kept:
            for known, before in self._local.items():
                self._put(known, before)
        self._begun, self._local = None, {}

    def kept(self) -> Kept:
        """As they are now, to be gone back to by `restore`."""
        return dict(self.values), dict(self._local)

    def restore(self, kept: Kept) -> None:
        """Sets all back to what they were within the same transaction."""
        self.values, self._local = dict(kept[0]), dict(kept[1])

    def wishes(self) -> dict[str, Any]:
        """What a query is asked along with."""
        return {name: read(self.get(PREFIX + name)) for name, (_, read, _) in OURS.items()}

    @property
    def seconds(self) -> float | None:
        """How long a statement may take; None where nothing was set."""
        milliseconds = _milliseconds(self.get("statement_timeout"))
        return milliseconds / 1e3 if milliseconds > 0 else None

    def shows(self, severity: str) -> bool:
        """Whether the client wants to be told of something so severe."""
        return _LEVELS.index(severity.lower()) >= _LEVELS.index(self.get("client_min_messages").lower())

    def all(self) -> list[tuple[str, str]]:
        """All of them by name."""
        return sorted((name, self.get(name)) for name in (*_DEFAULTS, *(PREFIX + name for name in OURS)))

    def reports(self) -> dict[str, str]:
        """What clients are told of."""
        return {shown: self.get(name) for name, shown in REPORTED.items()}


def _known(name: str) -> str:
    found = _ALIASES.get(name.lower(), name.lower())
    if found in _DEFAULTS or (found.startswith(PREFIX) and found.removeprefix(PREFIX) in OURS):
        return found
    ours = f"; imputedb has {', '.join(OURS)}" if found.startswith(PREFIX) else ""
    raise Unrecognized(f"there is no setting {name}{ours}")


def _check(known: str, value: str) -> str | None:
    """Refuses a value that a setting cannot have; what is to be said of one that has no effect."""
    text = value.strip().lower()
    if known.startswith(PREFIX):
        _, read, may = OURS[known.removeprefix(PREFIX)]
        try:
            read(value)
        except ValueError as error:
            raise Unknown(f"{known} is {value!r}; it is {may}") from error
        return None
    if known in _READ_ONLY:
        raise Unknown(f"{known} cannot be set")
    if known in _FIXED and text not in _FIXED[known]:
        raise Unknown(f"{known} is {_DEFAULTS[known]} here, and nothing else")
    if known == "datestyle" and not text.startswith("iso"):
        raise Unknown("datestyle is ISO here, and nothing else")
    if known == "client_min_messages" and text not in _LEVELS:
        raise Unknown(f"client_min_messages is one of {', '.join(_LEVELS)}")
    if known == "statement_timeout":
        _milliseconds(text)
    if known == "search_path":
        other = next((one.strip() for one in text.split(",") if one.strip() not in _SCHEMAS), None)
        if other is not None:
            raise Unknown(f"names without a schema are looked for in public alone: write {other}.NAME in the statement")
    if known == "timezone" and text not in _UTC and text != "default":
        return "moments are shown in UTC here, whatever the time zone"
    return None


def _milliseconds(text: str) -> float:
    digits = text.strip().rstrip("abcdefghijklmnopqrstuvwxyz ")
    try:
        found = float(digits) * _UNITS[text.strip()[len(digits) :].strip()]
    except (ValueError, KeyError) as error:
        raise Unknown(f"statement_timeout is {text!r}; it is milliseconds, or a number with ms, s, min") from error
    if not 0 <= found <= 2**31:
        raise Unknown("statement_timeout lies outside of what it may be")
    return found


def options(text: str) -> dict[str, str]:
    """Settings that a client gives at the start, such as `-c imputedb.alpha=0.2`.

    Raises:
        QueryError: they are none.
    """
    found: dict[str, str] = {}
    words = iter(text.replace("\\ ", "\0").split())
    for word in words:
        pair = next(words, "") if word == "-c" else word.removeprefix("-c").removeprefix("--")
        name, equals, value = pair.partition("=")
        if not equals or not word.startswith("-"):
            raise QueryError("options are -c NAME=VALUE")
        found[name.replace("-", "_")] = value.replace("\0", " ")
    return found
