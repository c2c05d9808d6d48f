"""The configuration of a service: one TOML file, in which every key has a default and a description."""

from __future__ import annotations

import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imputedb.errors import QueryError, StorageError

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
RoleName = Literal["reader", "analyst", "admin"]
_PATHS = {"security": ("tokens", "jwt_key"), "tls": ("certificate", "key")}
"""Keys with paths of files, which are relative to the configuration file."""

ROLES: tuple[RoleName, ...] = ("reader", "analyst", "admin")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Limits(_Section):
    """Limits that apply to every request."""

    body_bytes: Count = Field(default=1_000_000, description="Bytes of a request's body.")
    statement_bytes: Count = Field(default=100_000, description="Bytes of a statement in UTF-8.")
    statements: Count = Field(default=1_000, description="Statements of one text, by the Postgres door.")
    nesting: Count = Field(default=200, description="Levels of a statement's syntax tree.")
    parameters: Count = Field(default=1_000, description="Values of a statement's parameters.")
    impute_rows: Count = Field(default=1_000, description="Rows of one call of /v1/impute.")
    answer_bytes: Count = Field(default=64_000_000, description="Bytes of an answer in JSON.")


class Role(_Section):
    """Limits of the requests of a role."""

    rows: Count = Field(
        default=100_000, description="Rows of an answer; further ones are cut off, and the answer says so."
    )
    seconds: Seconds = Field(
        default=30.0, description="Seconds that a request may take, waiting for its turn included."
    )
    draws: Count = Field(default=50, description="Draws (m) of a query.")
    per_minute: Count = Field(default=600, description="Requests of one caller in a minute.")


class Roles(_Section):
    """The limits of the three roles."""

    reader: Role = Field(default_factory=Role, description="Asks queries and applies kept models.")
    analyst: Role = Field(
        default_factory=lambda: Role(seconds=300.0, draws=200), description="Starts jobs as well, and sees its own."
    )
    admin: Role = Field(
        default_factory=lambda: Role(seconds=300.0, draws=200), description="Sees all jobs, and the audit log."
    )

    def of(self, name: RoleName) -> Role:
        """The limits of a role."""
        found: Role = getattr(self, name)
        return found


class Security(_Section):
    """Credentials of callers, and limits of failed attempts."""

    tokens: Path | None = Field(default=None, description="File of tokens, as `imputedb token add` writes it.")
    jwt_key: Path | None = Field(default=None, description="File of the public key (PEM) or the key set (JWKS) of JWT.")
    jwt_issuer: str | None = Field(
        default=None, description="Who must have issued a JWT (`iss`); required with `jwt_key`."
    )
    jwt_audience: str | None = Field(
        default=None, description="Whom a JWT must be for (`aud`); required with `jwt_key`."
    )
    failures_per_minute: Count = Field(
        default=30, description="Wrong credentials from one address before it has to wait."
    )

    @property
    def has_credentials(self) -> bool:
        """Whether callers can be authenticated."""
        return self.tokens is not None or self.jwt_key is not None


class Tls(_Section):
    """TLS certificate and key of the network interfaces."""

    certificate: Path = Field(description="File of the certificate chain (PEM).")
    key: Path = Field(description="File of its private key (PEM).")


class Log(_Section):
    """The log: one JSON object per line on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is written."
    )
    share: Annotated[float, Field(ge=0, le=1)] = Field(
        default=1.0,
        description="Share of answered requests that are written, by request id; what fails always is.",
    )


class Configuration(_Section):
    """The configuration of a service."""

    http: str = Field(default="127.0.0.1:8080", description="Host and port of the HTTP door.")
    postgres: str | None = Field(
        default=None,
        description="Host and port of the Postgres door, such as 127.0.0.1:5433; none unless given.",
    )
    workers: Count = Field(default=2, description="Requests that run at once.")
    queue: Annotated[int, Field(ge=0)] = Field(default=64, description="Requests that wait; further ones are refused.")
    connections: Count = Field(default=256, description="Connections of each door at once; further ones are refused.")
    drain_seconds: Seconds = Field(default=10.0, description="Seconds that running requests have to end after SIGTERM.")
    idle_seconds: Seconds = Field(
        default=15.0, description="Seconds after which an idle connection is closed, and that a body may take."
    )
    session_seconds: Seconds = Field(
        default=3600.0, description="Seconds after which a session of the Postgres door that asks nothing is closed."
    )
    memory: str = Field(default="2GB", description="Memory that DuckDB may use; what does not fit is refused.")
    threads: Count = Field(default=2, description="Threads that DuckDB may use.")
    sandbox: bool = Field(
        default=False,
        description="Whether statements run in processes of their own, which the kernel keeps from files and network.",
    )
    side: Path | None = Field(
        default=None,
        description="File of audit log and jobs; unless given beside the database, .imputedb added to its name.",
    )
    jobs: Path | None = Field(
        default=None,
        description="Folder that jobs write into; unless given beside the database, .jobs added to its name.",
    )
    limits: Limits = Field(default_factory=Limits, description="What a request may be.")
    roles: Roles = Field(default_factory=Roles, description="What roles may ask for.")
    security: Security = Field(default_factory=Security, description="Who may ask.")
    tls: Tls | None = Field(default=None, description="Certificate and key; without them doors are not encrypted.")
    log: Log = Field(default_factory=Log, description="What is written to standard error.")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the HTTP interface.

        Raises:
            QueryError: the address is not of the form host:port.
        """
        return _address("http", self.http)

    @property
    def postgres_address(self) -> tuple[str, int] | None:
        """Host and port of the Postgres interface; None where it is disabled.

        Raises:
            QueryError: the address is not of the form host:port.
        """
        return None if self.postgres is None else _address("postgres", self.postgres)

    @property
    def is_loopback(self) -> bool:
        """Whether the service can be reached from this machine only."""
        return not self.reachable

    @property
    def reachable(self) -> list[str]:
        """The addresses that other machines can reach."""
        doors = (self.http, self.address), (self.postgres or "", self.postgres_address)
        return [text for text, address in doors if address is not None and not _is_loopback(address[0])]


def _address(door: str, text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 <= int(port) < 65_536:
        raise QueryError(f"{door} is {text!r}; it is HOST:PORT, such as 127.0.0.1:8080")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load(path: Path | None, **given: object) -> Configuration:
    """The configuration of a file, overridden by options of the command line.

    Raises:
        StorageError: the file cannot be read.
        QueryError: the file is not TOML, or keys or values are wrong; the message names all of them.
    """
    settings: dict[str, object] = {}
    if path is not None:
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise QueryError(f"{path} is no TOML: {error}") from error
    settings |= {name: value for name, value in given.items() if value is not None}
    try:
        found = Configuration.model_validate(_with_paths(settings, path))
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise QueryError(f"{path or 'the configuration'}: {places}") from error
    _check(found)
    return found


def _with_paths(settings: dict[str, object], path: Path | None) -> dict[str, object]:
    """The settings, with relative paths resolved against the folder of the file."""
    folder = path.parent if path is not None else Path()
    top = {name: folder / one for name in ("side", "jobs") if isinstance(one := settings.get(name), str)}
    found = {**settings, **top}
    for section, names in _PATHS.items():
        keys = settings.get(section)
        if isinstance(keys, dict):
            paths = {name: folder / keys[name] for name in names if isinstance(keys.get(name), str)}
            found[section] = {**keys, **paths}
    return found


def _check(found: Configuration) -> None:
    """Refuses a configuration that would let in unauthenticated callers, or that contradicts itself.

    Raises:
        QueryError: the configuration does so.
    """
    security = found.security
    if security.jwt_key is not None and (security.jwt_issuer is None or security.jwt_audience is None):
        raise QueryError("security.jwt_key needs security.jwt_issuer and security.jwt_audience: both are checked")
    if not found.is_loopback and not security.has_credentials:
        raise QueryError(
            f"{', '.join(found.reachable)} can be reached from other machines, and nobody would have to show who he "
            "is: make a token with `imputedb token add` and name its file in security.tokens, or listen on 127.0.0.1"
        )
