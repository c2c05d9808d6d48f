"""Credentials: tokens hashed at rest, JWT of a public key, wrong ones slowed down, none that shows anywhere."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from imputedb.cli.main import main
from imputedb.errors import DataError, QueryError, StorageError
from imputedb.service.configuration import Security, load
from imputedb.service.errors import TooMany, Unauthenticated
from imputedb.service.request import Principal
from imputedb.service.security import tokens
from imputedb.service.security.rates import Rates
from imputedb.service.security.tokens import Credentials
from tests.service.conftest import clients

jwt = pytest.importorskip("jwt", reason="PyJWT is not installed")
ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec", reason="cryptography is not installed")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.toml"


def known(file: Path) -> Credentials:
    return Credentials(Security(tokens=file), is_loopback=True)


def test_a_token_is_known_and_only_its_hash_is_kept(file: Path) -> None:
    text = tokens.added(file, "ada", "analyst")
    assert text not in file.read_text()
    assert len(text) > 40
    assert os.stat(file).st_mode & 0o777 == 0o600
    assert known(file).principal(text) == Principal("token:ada", "analyst")
    assert text not in repr(tokens.read(file))


@pytest.mark.parametrize("wrong", [None, "", "imp_", "imp_x", "x.y.z", "imp_\ud800", "Bearer"])
def test_nobody_is_known_by_another_credential(file: Path, wrong: str | None) -> None:
    tokens.added(file, "ada", "analyst")
    with pytest.raises(Unauthenticated):
        known(file).principal(wrong)


def test_a_token_ends_is_dropped_and_is_read_again(file: Path) -> None:
    first, second = tokens.added(file, "ada", "reader", days=1), tokens.added(file, "bob", "admin")
    credentials = known(file)
    assert credentials.principal(first).name == "token:ada"
    found = tokens.read(file)
    over = tokens.Token("ada", "reader", found["ada"].digest, datetime.now(UTC) - timedelta(seconds=1))
    tokens.write(file, {**found, "ada": over})
    credentials.reload()
    with pytest.raises(Unauthenticated, match="expired"):
        credentials.principal(first)
    tokens.dropped(file, "ada")
    credentials.reload()
    with pytest.raises(Unauthenticated, match="nobody"):
        credentials.principal(first)
    assert credentials.principal(second).role == "admin"


def test_files_that_cannot_be_trusted_are_refused(file: Path) -> None:
    with pytest.raises(DataError, match="holds no token"):
        known(file)
    tokens.added(file, "ada", "reader")
    file.chmod(0o644)
    with pytest.raises(StorageError, match="chmod 600"):
        known(file)
    for text in (
        "x",
        "[a]\nrole = 'king'\nsha256 = 'ab'",
        "[a]\nrole = 'reader'",
        "a = 1",
        '[a]\nrole="reader"\nsha256=1',
    ):
        file.write_text(text)
        file.chmod(0o600)
        with pytest.raises(DataError):
            known(file)


def test_the_command_makes_lists_and_drops_tokens(file: Path) -> None:
    runner = CliRunner()
    text = runner.invoke(main, ["token", "add", str(file), "ada", "--role", "analyst", "--days", "3"]).output.strip()
    assert known(file).principal(text).role == "analyst"
    assert runner.invoke(main, ["token", "list", str(file)]).output.startswith("ada: analyst, until ")
    with pytest.raises(QueryError, match="there is a token ada"):
        runner.invoke(main, ["token", "add", str(file), "ada"], catch_exceptions=False, standalone_mode=False)
    with pytest.raises(QueryError, match="not a valid name"):
        tokens.added(file, "a b", "reader")
    runner.invoke(main, ["token", "drop", str(file), "ada"])
    assert tokens.read(file) == {}


@pytest.fixture
def key(tmp_path: Path) -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    found = ec.generate_private_key(ec.SECP256R1())
    public = found.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(public)
    return found


def signed(key: Any, algorithm: str = "ES256", **changed: Any) -> str:
    claims = {"sub": "ann", "iss": "us", "aud": "imputedb", "exp": datetime.now(UTC) + timedelta(minutes=5), **changed}
    text: str = jwt.encode({name: one for name, one in claims.items() if one is not None}, key, algorithm)
    return text


def of_jwt(tmp_path: Path) -> Credentials:
    security = Security(jwt_key=tmp_path / "key.pem", jwt_issuer="us", jwt_audience="imputedb")
    return Credentials(security, is_loopback=True)


def test_a_jwt_is_known_by_its_signature_issuer_audience_and_time(tmp_path: Path, key: Any) -> None:
    credentials = of_jwt(tmp_path)
    assert credentials.principal(signed(key)) == Principal("jwt:ann", "reader")
    assert credentials.principal(signed(key, sub="x" * 255)).name == "jwt:" + "x" * 255
    assert credentials.principal(signed(key, role="admin")).role == "admin"
    other = ec.generate_private_key(ec.SECP256R1())
    for wrong in (
        signed(other),
        signed(key, iss="them"),
        signed(key, aud="others"),
        signed(key, exp=datetime.now(UTC) - timedelta(minutes=1)),
        signed(key, exp=None),
        signed(key, sub=None),
        signed(key, sub=""),
        signed(key, sub="x" * 256),
        signed(key, role="king"),
        signed(key)[:-4] + "AAAA",
        jwt.encode({"sub": "ann", "iss": "us", "aud": "imputedb", "exp": 2**33}, None, "none"),
        jwt.encode({"sub": "ann", "iss": "us", "aud": "imputedb", "exp": 2**33}, "s" * 64, "HS256"),
    ):
        with pytest.raises(Unauthenticated):
            credentials.principal(wrong)


def test_a_key_set_tells_keys_by_their_id(tmp_path: Path, key: Any) -> None:
    public = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())
    (tmp_path / "key.pem").write_text('{"keys": [' + public[:-1] + ', "kid": "k1", "alg": "ES256"}]}')
    credentials = of_jwt(tmp_path)
    claims = {"sub": "ann", "iss": "us", "aud": "imputedb", "exp": datetime.now(UTC) + timedelta(minutes=5)}
    assert credentials.principal(jwt.encode(claims, key, "ES256", headers={"kid": "k1"})).name == "jwt:ann"
    with pytest.raises(Unauthenticated):
        credentials.principal(jwt.encode(claims, key, "ES256", headers={"kid": "k2"}))


@pytest.mark.parametrize("text", ["", "no key", "{}", '{"keys": [1]}', "-----BEGIN PRIVATE KEY-----"])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "key.pem").write_text(text)
    with pytest.raises(DataError, match=r"key\.pem"):
        of_jwt(tmp_path)


def test_rates_fill_steadily_and_are_by_caller() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    for _ in range(60):
        rates.take("ann", 60)
    with pytest.raises(TooMany) as caught:
        rates.take("ann", 60)
    assert caught.value.retry_after == 1
    rates.take("bob", 60)
    now[0] += 1.0
    rates.take("ann", 60)
    with pytest.raises(TooMany):
        rates.check("ann", 60)


@pytest.fixture
def guarded(served: Path, file: Path, tmp_path: Path) -> Iterator[tuple[TestClient, str]]:
    text = tokens.added(file, "ada", "reader")
    with clients(served, tmp_path, security={"tokens": file, "failures_per_minute": 5}) as client:
        yield client, text


def test_where_there_are_tokens_one_is_needed(guarded: tuple[TestClient, str]) -> None:
    client, text = guarded
    assert client.get("/v1/tables").status_code == 401
    found = client.get("/v1/tables", headers={"Authorization": f"Bearer {text}"})
    assert found.status_code == 200
    refused = client.get("/v1/tables", headers={"Authorization": "Basic YTpi"})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert "tokens.toml" not in refused.text


def test_after_too_many_wrong_credentials_further_wrong_ones_wait_and_right_ones_do_not(
    guarded: tuple[TestClient, str],
) -> None:
    client, text = guarded
    wrong = [client.get("/v1/tables", headers={"Authorization": "Bearer imp_x"}).status_code for _ in range(7)]
    assert wrong == [401] * 5 + [429] * 2
    assert client.get("/v1/tables", headers={"Authorization": f"Bearer {text}"}).status_code == 200
    assert client.get("/v1/tables", headers={"Authorization": "Bearer imp_x"}).status_code == 429


def test_beyond_loopback_probes_need_a_token_too(served: Path, file: Path, tmp_path: Path) -> None:
    text = tokens.added(file, "ada", "reader")
    with clients(served, tmp_path, http="0.0.0.0:8080", security={"tokens": file}) as client:
        for path in ("/healthz", "/readyz", "/metrics"):
            assert client.get(path).status_code == 401
            assert client.get(path, headers={"Authorization": f"Bearer {text}"}).status_code == 200


@pytest.mark.parametrize("http", ["0.0.0.0:8080", "192.168.1.5:80", "[::]:80", "example.org:80"])
def test_nothing_listens_beyond_loopback_without_a_credential(http: str) -> None:
    with pytest.raises(QueryError, match="imputedb token add"):
        load(None, http=http)


@pytest.mark.parametrize("http", ["127.0.0.1:1", "127.8.8.8:1", "[::1]:80", "localhost:80"])
def test_loopback_needs_none(http: str) -> None:
    assert load(None, http=http).is_loopback


def test_what_is_made_up_of_unknown_names_outlives_restarts_and_tokens(file: Path) -> None:
    tokens.added(file, "ada", "reader")
    security = Security(tokens=file)
    first = Credentials(security, is_loopback=True)
    salt = first.made_up("nobody").salt
    tokens.added(file, "bob", "reader")
    tokens.dropped(file, "ada")
    first.reload()
    assert {one.made_up("nobody").salt for one in (first, Credentials(security, is_loopback=True))} == {salt}
    assert first.made_up("someone").salt != salt
    assert list(tokens.read(file)) == ["bob"]
    text = file.read_text()
    file.write_text(text.partition("\n")[2])  # as it was written before there was a secret
    assert tokens.secret(file) is None
    assert Credentials(security, is_loopback=True).made_up("nobody").salt != salt
    file.write_text(text.replace(text.split('"')[1], "short"))
    with pytest.raises(DataError, match="_secret"):
        Credentials(security, is_loopback=True)
