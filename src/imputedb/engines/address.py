"""Addresses of databases: the system, the server, and the parts that may be shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from imputedb.errors import DataError, StorageError

SYSTEMS = {"postgresql": "PostgreSQL", "postgres": "PostgreSQL", "mysql": "MySQL", "mariadb": "MySQL"}
"""Systems of servers by the scheme of an address."""

LAKES = {"_delta_log": ("Delta Lake", "*.json"), "metadata": ("Iceberg", "*.metadata.json")}
"""Formats of tables that are folders, by a folder within that identifies them: name, and pattern of its files."""

_SQLITE = b"SQLite format 3\0"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_FORM = "SYSTEM://USER@HOST:PORT/NAME, with a character outside names written as % and its code"


@dataclass(frozen=True, slots=True)
class Address:
    """The location of a database, or of a table that is a folder.

    Attributes:
        system: PostgreSQL, MySQL, SQLite, Delta Lake or Iceberg.
        path: the path of a file or folder; on a server, the name of the database.
        host: the server's host name; empty for the driver's default.
        port: the server's port; None for the driver's default.
        user: the name of an account on the server.
        password: the account's password, which appears in no message.
        options: the options after the question mark.
    """

    system: str
    path: str
    host: str = ""
    port: int | None = None
    user: str = ""
    password: str | None = field(default=None, repr=False)
    options: tuple[tuple[str, str], ...] = ()

    @property
    def shown(self) -> str:
        """The address as messages show it, without anything that could be secret."""
        if self.system not in SYSTEMS.values():
            return self.path
        account = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port is not None else ""
        return f"{self.system.lower()}://{account}{self.host}{port}/{self.path}"

    def uri(self, more: dict[str, str]) -> str:
        """The address as PostgreSQL's driver takes it, with its password; its own options override `more`."""
        account = quote(self.user, safe="")
        if self.password is not None:
            account += ":" + quote(self.password, safe="")
        host = f"[{self.host}]" if ":" in self.host else quote(self.host, safe="")
        port = f":{self.port}" if self.port is not None else ""
        options = urlencode({**more, **dict(self.options)}, quote_via=quote)
        return f"postgresql://{account}{'@' if account else ''}{host}{port}/{quote(self.path, safe='')}?{options}"

    def without_secrets(self, text: str) -> str:
        """A message with the password replaced by asterisks."""
        for form in {self.password, quote(self.password, safe="")} if self.password else ():
            text = text.replace(str(form), "***")
        return text


def address(path: str, password_file: str | None = None) -> Address | None:
    """The address of a database; None for a file or folder of another kind.

    Raises:
        DataError: the system is unknown, or the address is malformed; the message does not repeat it, since it may hold
            a password. Or a password is given where there is no account.
        StorageError: the file with the password cannot be read.
    """
    scheme = _SCHEME.match(path)
    if scheme is not None and (system := SYSTEMS.get(scheme[1].lower())) is not None:
        return _server(system, path, _password(password_file))
    if scheme is not None and scheme[1].lower() == "sqlite":
        found = unquote(path[len("sqlite://") :]).removeprefix("/")
        local: Address | None = Address("SQLite", found)
    elif scheme is not None:
        raise DataError(f"{scheme[1]}:// is not a known system: the systems are {', '.join([*SYSTEMS, 'sqlite'])}")
    else:
        kind = _kind(path)
        local = None if kind is None else Address(kind, path)
    if password_file is not None:
        raise DataError(f"{path} takes no password: leave the password's file out")
    return local


def states_password(path: str) -> bool:
    """Whether an address contains a password."""
    found = address(path)
    return found is not None and found.password is not None


def _server(system: str, text: str, password: str | None) -> Address:
    """The address of a server, from its text.

    Raises:
        DataError: the text is malformed.
    """
    try:
        parts = urlsplit(text)
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query), keep_blank_values=True))
        stated = [unquote(parts.password)] if parts.password else []
        stated += [options.pop(name) for name in [*options] if "password" in name.lower() or name.lower() == "passwd"]
        odd = parts.fragment or "/" in parts.path.removeprefix("/") or "@" in parts.path or len(stated) > 1
        user = unquote(options.pop("user", parts.username or ""))
        port, host, name = parts.port, unquote(parts.hostname or ""), unquote(parts.path.removeprefix("/"))
    except ValueError as error:
        raise DataError(f"an address of {system} is {_FORM}; this one is not") from error
    if odd:
        raise DataError(f"an address of {system} is {_FORM}; this one is not")
    password = password if password is not None else next(iter(stated), None)
    return Address(system, name, host, port, user, password, tuple(options.items()))


def _kind(path: str) -> str | None:
    """The system of a file or folder that is a database or a table of another system; None otherwise."""
    place = Path(path)
    if place.is_dir():
        return next((lake for inside, (lake, log) in LAKES.items() if any((place / inside).glob(log))), None)
    if place.name.endswith(".metadata.json"):
        return "Iceberg"
    try:
        if not place.is_file():
            return None
        with place.open("rb") as file:
            return "SQLite" if file.read(len(_SQLITE)) == _SQLITE else None
    except OSError:
        return None


def _password(file: str | None) -> str | None:
    """The first line of a file.

    Raises:
        StorageError: it cannot be read, or is empty.
    """
    if file is None:
        return None
    try:
        found = Path(file).read_text().partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeError) as error:
        raise StorageError(f"the file of the password, {file}, cannot be read: {error}") from error
    if not found:
        raise StorageError(f"the file of the password, {file}, has an empty first line")
    return found
