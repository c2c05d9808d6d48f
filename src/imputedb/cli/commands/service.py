"""Commands about the service: run it, and manage the tokens of its callers."""

from __future__ import annotations

from pathlib import Path

import click

from imputedb.errors import DataError


@click.command()
@click.argument("db")
@click.option("--http", metavar="HOST:PORT", help="Address of the HTTP server; default 127.0.0.1:8080.")
@click.option("--postgres", metavar="HOST:PORT", help="Address of the server for PostgreSQL clients; default: none.")
@click.option("--sandbox", is_flag=True, default=None, help="Run statements in confined worker processes.")
@click.option("--config", metavar="FILE", help="Configuration file (TOML).")
def serve(db: str, http: str | None, postgres: str | None, sandbox: bool | None, config: str | None) -> None:
    """Serve the database DB to other programs, read-only."""
    try:
        from imputedb.service.configuration import load
        from imputedb.service.run import run
    except ImportError as error:
        raise DataError(f"the service needs further packages ({error.name}): pip install 'imputedb[server]'") from error
    run(Path(db), load(None if config is None else Path(config), http=http, postgres=postgres, sandbox=sandbox))


@click.group()
def token() -> None:
    """Tokens of the service's callers: add, list and drop them."""


@token.command("add")
@click.argument("file")
@click.argument("name")
@click.option("--role", type=click.Choice(["reader", "analyst", "admin"]), default="reader", show_default=True)
@click.option("--days", type=click.IntRange(1, 3650), help="Days until it expires; default: never.")
def add(file: str, name: str, role: str, days: int | None) -> None:
    """Make a token for NAME, which is shown once; FILE stores its hash."""
    from imputedb.service.security import tokens

    click.echo(tokens.added(Path(file), name, role, days))  # type: ignore[arg-type]


@token.command("list")
@click.argument("file")
def list_(file: str) -> None:
    """List names, roles and expiry of the tokens in FILE."""
    from imputedb.service.security import tokens

    for name, one in tokens.read(Path(file)).items():
        click.echo(f"{name}: {one.role}" + (f", until {one.expires.isoformat()}" if one.expires else ""))


@token.command("drop")
@click.argument("file")
@click.argument("name")
def drop(file: str, name: str) -> None:
    """Remove the token of NAME; a running service accepts it until SIGHUP."""
    from imputedb.service.security import tokens

    tokens.dropped(Path(file), name)
