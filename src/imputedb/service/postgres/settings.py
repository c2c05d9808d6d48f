"""Settings of a session: those of imputedb, and those of PostgreSQL, some of which have an effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imputedb.errors import QueryError
from imputedb.service.errors import Refusal
from imputedb.service.postgres.wishes import OURS

VERSION = "15.0"
"""The version of PostgreSQL whose protocol and catalog are provided."""


class Unknown(Refusal):
    """A setting that does not exist, or that cannot have a value."""

    state = "22023"


class Unrecognized(Unknown):
    """A setting that does not exist."""

    state = "42704"


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
"""PostgreSQL settings with their supported values; other values would require different answers."""

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
"""Settings that are reported to clients at the start and after each change, with their spelling in the report."""

_LEVELS = ("debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error")
_UTC = ("utc", "gmt", "etc/utc", "etc/gmt", "z", "zulu", "uct", "+00", "+00:00", "0", "gmt0")
_SCHEMAS = ("public", "main", '"$user"', "$user", "pg_catalog", "pg_temp", "", '""')
_ALIASES = {"time zone": "timezone", "transaction isolation level": "transaction_isolation", "names": "client_encoding"}
_UNITS = {"": 1.0, "us": 1e-3, "ms": 1.0, "s": 1e3, "min": 6e4, "h": 36e5, "d": 864e5}


Kept = tuple[dict[str, str], dict[str, str | None]]
"""A copy of the settings: their values, and the values that SET LOCAL has replaced."""


@dataclass(slots=True)
class Settings:
    """The settings of one session."""

    user: str
    values: dict[str, str] = field(default_factory=dict)
    _begun: dict[str, str] | None = None
    _local: dict[str, str | None] = field(default_factory=dict)
    _first: dict[str, str] = field(default_factory=dict)

    def started(self) -> None:
        """Makes the present values those that RESET restores."""
        self._first = dict(self.values)

    def copy(self) -> Settings:
        """An independent copy."""
        begun = None if self._begun is None else dict(self._begun)
        return Settings(self.user, dict(self.values), begun, dict(self._local), self._first)

    def get(self, name: str) -> str:
        """The value of a setting.

        Raises:
            Unrecognized: there is no setting of this name.
        """
        known = _known(name)
        if known == "session_authorization":
            return self.user
        default = OURS[known.removeprefix(PREFIX)][0] if known.startswith(PREFIX) else _DEFAULTS[known]
        return self.values.get(known, default)

    def set(self, name: str, value: str | None, *, local: bool = False) -> str | None:
        """Changes a setting, or resets it for None; returns a notice, or None.

        Raises:
            Unrecognized: there is no setting of this name.
            Unknown: the setting cannot have this value.
        """
        known, notice = _known(name), None
        if value is None:
            value = self._first.get(known)
        else:
            notice = _check(known, value)
            value = "UTC" if known == "timezone" else "UTF8" if known == "client_encoding" else value
        if local and self._begun is None:
            return "SET LOCAL is valid in a transaction only: it has no effect here"
        if local:
            self._local.setdefault(known, self.values.get(known))
        else:
            self._local.pop(known, None)
        self._put(known, value)
        return notice

    def _put(self, known: str, value: str | None) -> None:
        if value is None:
            self.values.pop(known, None)
        else:
            self.values[known] = value

    def reset(self) -> None:
        """Resets all settings to their values at the start."""
        self.values = dict(self._first)

    def begin(self) -> None:
        """Begins a transaction."""
        self._begun = dict(self.values)

    def end(self, *, is_kept: bool) -> None:
        """Ends a transaction: a rollback restores all settings, a commit only those of SET LOCAL."""
        if self._begun is not None and not is_kept:
            self.values = self._begun
        elif is_kept:
            for known, before in self._local.items():
                self._put(known, before)
        self._begun, self._local = None, {}

    def kept(self) -> Kept:
        """A copy of the present values, for `restore`."""
        return dict(self.values), dict(self._local)

    def restore(self, kept: Kept) -> None:
        """Restores values within the same transaction."""
        self.values, self._local = dict(kept[0]), dict(kept[1])

    def wishes(self) -> dict[str, Any]:
        """The options of a query."""
        return {name: read(self.get(PREFIX + name)) for name, (_, read, _) in OURS.items()}

    @property
    def seconds(self) -> float | None:
        """The statement timeout in seconds; None for none."""
        milliseconds = _milliseconds(self.get("statement_timeout"))
        return milliseconds / 1e3 if milliseconds > 0 else None

    def shows(self, severity: str) -> bool:
        """Whether the client wants messages of this severity."""
        return _LEVELS.index(severity.lower()) >= _LEVELS.index(self.get("client_min_messages").lower())

    def all(self) -> list[tuple[str, str]]:
        """All settings by name."""
        return sorted((name, self.get(name)) for name in (*_DEFAULTS, *(PREFIX + name for name in OURS)))

    def reports(self) -> dict[str, str]:
        """Settings that are reported to clients, with their values."""
        return {shown: self.get(name) for name, shown in REPORTED.items()}


def _known(name: str) -> str:
    found = _ALIASES.get(name.lower(), name.lower())
    if found in _DEFAULTS or (found.startswith(PREFIX) and found.removeprefix(PREFIX) in OURS):
        return found
    ours = f"; imputedb has {', '.join(OURS)}" if found.startswith(PREFIX) else ""
    raise Unrecognized(f"there is no setting {name}{ours}")


def _check(known: str, value: str) -> str | None:
    """Refuses a value that a setting cannot have; returns a notice for a value without effect."""
    text = value.strip().lower()
    if known.startswith(PREFIX):
        _, read, may = OURS[known.removeprefix(PREFIX)]
        try:
            read(value)
        except (ValueError, QueryError) as error:
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
        raise Unknown("statement_timeout is out of range")
    return found


def options(text: str) -> dict[str, str]:
    """Settings from the startup parameter `options`, such as `-c imputedb.alpha=0.2`.

    Raises:
        QueryError: the options are malformed.
    """
    found: dict[str, str] = {}
    words = iter(text.replace("\\ ", "\0").split())
    for word in words:
        pair = next(words, "") if word == "-c" else word.removeprefix("-c").removeprefix("--")
        name, equals, value = pair.partition("=")
        if not equals or not word.startswith("-"):
            raise QueryError("options must have the form -c NAME=VALUE")
        found[name.replace("-", "_")] = value.replace("\0", " ")
    return found
