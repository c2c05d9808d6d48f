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

    body_bytes: Count = Field(default=1_000_000, description="Maximum bytes of a request's body.")
    statement_bytes: Count = Field(default=100_000, description="Maximum bytes of a statement in UTF-8.")
    statements: Count = Field(default=1_000, description="Statements of one text (PostgreSQL server).")
    nesting: Count = Field(default=200, description="Maximum levels of a statement's syntax tree.")
    parameters: Count = Field(default=1_000, description="Maximum number of a statement's parameters.")
    impute_rows: Count = Field(default=1_000, description="Maximum number of rows of one call of /v1/impute.")
    answer_bytes: Count = Field(default=64_000_000, description="Maximum bytes of an answer in JSON.")


class Role(_Section):
    """Limits of the requests of a role."""

    rows: Count = Field(
        default=100_000,
        description="Maximum number of rows of an answer; further ones are cut off, and the answer says so.",
    )
    seconds: Seconds = Field(
        default=30.0, description="Time limit of a request in seconds, including its time in the queue."
    )
    draws: Count = Field(default=50, description="Maximum number of draws (m) of a query.")
    per_minute: Count = Field(default=600, description="Maximum number of requests of one caller per minute.")


class Roles(_Section):
    """The limits of the three roles."""

    reader: Role = Field(default_factory=Role, description="May ask queries and apply kept models.")
    analyst: Role = Field(
        default_factory=lambda: Role(seconds=300.0, draws=200), description="May also start jobs, and see its own."
    )
    admin: Role = Field(
        default_factory=lambda: Role(seconds=300.0, draws=200), description="May also see all jobs and the audit log."
    )

    def of(self, name: RoleName) -> Role:
        """The limits of a role."""
        found: Role = getattr(self, name)
        return found


class Security(_Section):
    """Credentials of callers, and limits of failed attempts."""

    tokens: Path | None = Field(default=None, description="File of tokens, as `imputedb token add` writes it.")
    jwt_key: Path | None = Field(default=None, description="File of the public key (PEM) or key set (JWKS) for JWT.")
    jwt_issuer: str | None = Field(default=None, description="Required issuer of a JWT (`iss`); needed with `jwt_key`.")
    jwt_audience: str | None = Field(
        default=None, description="Required audience of a JWT (`aud`); needed with `jwt_key`."
    )
    failures_per_minute: Count = Field(
        default=30, description="Failed attempts per minute after which an address must wait."
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
        default="info", description="Lowest level that is logged."
    )
    share: Annotated[float, Field(ge=0, le=1)] = Field(
        default=1.0,
        description="Share of successful requests that are logged, by request id; failures always are.",
    )


class Configuration(_Section):
    """The configuration of a service."""

    http: str = Field(default="127.0.0.1:8080", description="Host and port of the HTTP server.")
    postgres: str | None = Field(
        default=None,
        description="Host and port of the PostgreSQL server, such as 127.0.0.1:5433; disabled by default.",
    )
    workers: Count = Field(default=2, description="Number of requests that run concurrently.")
    queue: Annotated[int, Field(ge=0)] = Field(
        default=64, description="Number of requests in the queue; further ones are refused."
    )
    connections: Count = Field(
        default=256, description="Maximum number of connections of each server; further ones are refused."
    )
    drain_seconds: Seconds = Field(default=10.0, description="Seconds for running requests to end after SIGTERM.")
    idle_seconds: Seconds = Field(
        default=15.0, description="Timeout of idle connections, and of the arrival of a body, in seconds."
    )
    session_seconds: Seconds = Field(
        default=3600.0, description="Timeout of idle sessions of the PostgreSQL server, in seconds."
    )
    memory: str = Field(default="2GB", description="DuckDB's memory limit; statements that exceed it are refused.")
    threads: Count = Field(default=2, description="Number of DuckDB's threads.")
    sandbox: bool = Field(
        default=False,
        description="Whether statements run in worker processes that the kernel denies files and network.",
    )
    side: Path | None = Field(
        default=None,
        description="File of the audit log and jobs; default: the database's path with .imputedb added.",
    )
    jobs: Path | None = Field(
        default=None,
        description="Folder for the files of jobs; default: the database's path with .jobs added.",
    )
    limits: Limits = Field(default_factory=Limits, description="Limits of every request.")
    roles: Roles = Field(default_factory=Roles, description="Limits by role.")
    security: Security = Field(default_factory=Security, description="Credentials of callers.")
    tls: Tls | None = Field(
        default=None, description="Certificate and key; without them connections are not encrypted."
    )
    log: Log = Field(default_factory=Log, description="The log, on standard error.")

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
            raise QueryError(f"{path} is not valid TOML: {error}") from error
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
