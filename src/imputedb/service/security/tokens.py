"""Credentials: tokens, of which only hashes are stored, and JWT."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import tomllib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from pathlib import Path
from typing import Any

from imputedb.errors import DataError, QueryError, StorageError
from imputedb.files import published
from imputedb.service.configuration import ROLES, RoleName, Security
from imputedb.service.errors import Unauthenticated
from imputedb.service.request import Principal

_PREFIX = "imp_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signature algorithms with a public key; with a shared key, whoever checks a token could create one."""

_SUBJECT = 255
"""Maximum number of characters of a JWT's `sub`; longer ones are refused, not cut, so that callers stay distinct."""

ITERATIONS = 4096
"""Iterations of SCRAM; tokens cannot be guessed, so more iterations would only delay callers."""

_VERIFIER = re.compile(r"SCRAM-SHA-256\$4096:([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")
"""The text format of PostgreSQL's verifiers."""

_SECRET = "_secret"
"""The key of a file's secret; token names begin with a letter or digit."""

_UNKNOWN = "nobody is known by this credential"


@dataclass(frozen=True, slots=True)
class Verifier:
    """A SCRAM-SHA-256 verifier (RFC 5802), which can check a token without holding it.

    Attributes:
        salt: random bytes.
        stored: hash of the client key.
        server: key by which the server proves that it knows the verifier.
    """

    salt: bytes
    stored: bytes
    server: bytes

    def __str__(self) -> str:
        salt, stored, server = (b64encode(part).decode() for part in (self.salt, self.stored, self.server))
        return f"SCRAM-SHA-256${ITERATIONS}:{salt}${stored}:{server}"


def _verifier(text: str) -> Verifier:
    """A verifier from its text form.

    Raises:
        ValueError: the text is not a verifier.
    """
    found = _VERIFIER.fullmatch(text)
    if found is None:
        raise ValueError
    salt, stored, server = (b64decode(part, validate=True) for part in found.groups())
    if len(stored) != 32 or len(server) != 32:
        raise ValueError
    return Verifier(salt, stored, server)


@dataclass(frozen=True, slots=True)
class Token:
    """A stored token: 256 random bits, of which only the SHA-256 is stored.

    Attributes:
        name: name of its holder.
        role: role of its holder.
        digest: SHA-256 of the token, in hexadecimal.
        expires: time of expiry; None for no expiry.
        verifier: verifier for the Postgres interface; None for tokens that were made before that interface existed.
    """

    name: str
    role: RoleName
    digest: str
    expires: datetime | None = None
    verifier: Verifier | None = field(default=None, repr=False)

    def is_over(self) -> bool:
        """Whether the token has expired."""
        return self.expires is not None and self.expires <= datetime.now(UTC)


def read(path: Path) -> dict[str, Token]:
    """The tokens of a file by name; empty where the file does not exist.

    Raises:
        StorageError: the file cannot be read, or others than its owner can read it.
        DataError: the file is not a file of tokens.
    """
    return {name: _token(path, name, entry) for name, entry in _entries(path).items() if name != _SECRET}


def secret(path: Path) -> bytes | None:
    """The secret of a token file, kept when tokens change; None for files that were written before secrets existed.

    Raises: as `read`.
    """
    found = _entries(path).get(_SECRET)
    if found is None:
        return None
    if not isinstance(found, str) or not re.fullmatch(r"[0-9a-f]{64}", found):
        raise DataError(f"{path}: {_SECRET} is not a secret of 64 hexadecimal digits: take it out, and add a token")
    return bytes.fromhex(found)


def _entries(path: Path) -> dict[str, Any]:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
        is_open = os.name == "posix" and path.stat().st_mode & 0o077
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a token file: {error}") from error
    if is_open:
        raise StorageError(f"{path} can be read by others than its owner: chmod 600 {path}")
    return entries


def _token(path: Path, name: str, entry: Any) -> Token:
    try:
        expires = entry.get("expires")
        role, digest = entry["role"], entry["sha256"]
        if role not in ROLES or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ValueError
        if expires is not None and expires.tzinfo is None:
            raise ValueError
        scram = entry.get("scram")
        return Token(name, role, digest, expires, None if scram is None else _verifier(scram))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: token {name} has no role of {', '.join(ROLES)}, no sha256, or a scram that is none"
        ) from error


def write(path: Path, tokens: Mapping[str, Token]) -> None:
    """Writes a token file atomically; only its owner can read it."""
    lines = [f'{_SECRET} = "{(secret(path) or secrets.token_bytes(32)).hex()}"', ""]
    for name, token in tokens.items():
        lines += [f"[{json.dumps(name)}]", f'role = "{token.role}"', f'sha256 = "{token.digest}"']
        lines += [f'scram = "{token.verifier}"'] if token.verifier is not None else []
        lines += [f"expires = {token.expires.isoformat()}"] if token.expires is not None else []
        lines.append("")
    with published(str(path)) as temporary:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.chmod(temporary, 0o600)
            file.write("\n".join(lines))


def added(path: Path, name: str, role: RoleName, days: int | None = None) -> str:
    """A new token. Its text is returned this once; the file stores its hash.

    Raises:
        QueryError: the name is not valid, or is in use.
        StorageError: the file cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise QueryError(f"{name!r} is not a valid name of a token: use letters, digits, '.', '_' and '-', 64 at most")
    known = read(path)
    if name in known:
        raise QueryError(f"there is a token {name} already: `imputedb token drop` it first")
    text = _PREFIX + secrets.token_urlsafe(32)
    expires = None if days is None else (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)
    digest = hashlib.sha256(text.encode()).hexdigest()
    write(path, {**known, name: Token(name, role, digest, expires, _verifier_of(text))})
    return text


def _verifier_of(text: str) -> Verifier:
    """A new SCRAM verifier of a token (RFC 5802)."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", text.encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    return Verifier(salt, stored, hmac.digest(salted, b"Server Key", "sha256"))


def dropped(path: Path, name: str) -> None:
    """Removes a token.

    Raises:
        QueryError: no token has this name.
    """
    known = read(path)
    if name not in known:
        raise QueryError(f"there is no token {name} in {path}")
    write(path, {other: token for other, token in known.items() if other != name})


class Credentials:
    """The known credentials, from files that `reload` reads again."""

    def __init__(self, security: Security, *, is_loopback: bool) -> None:
        self._security = security
        self._local = Principal("local", "reader") if is_loopback and not security.has_credentials else None
        self._tokens: tuple[Token, ...] = ()
        self._keys: Mapping[str | None, Any] = {}
        self._secret = secrets.token_bytes(32)
        self.reload()

    def reload(self) -> None:
        """Reads tokens and keys again; where that fails, the earlier ones stay valid.

        Raises:
            StorageError, DataError: a file cannot be read, or is malformed.
        """
        security = self._security
        if security.tokens is not None:
            self._tokens = tuple(read(security.tokens).values())
            self._secret = secret(security.tokens) or self._secret
            if not self._tokens:
                raise DataError(f"{security.tokens} holds no token: `imputedb token add {security.tokens} NAME`")
        if security.jwt_key is not None:
            self._keys = _keys(security.jwt_key)

    def verifier(self, name: str) -> Verifier | None:
        """The verifier of the token of this name; None where there is none."""
        return next((token.verifier for token in self._tokens if token.name == name), None)

    def made_up(self, name: str) -> Verifier:
        """A verifier that no password matches, for an unknown name; its salt stays the same after a restart."""
        salt = hmac.digest(self._secret, name.encode("utf-8", "replace"), "sha256")[:16]
        return Verifier(salt, secrets.token_bytes(32), secrets.token_bytes(32))

    def named(self, name: str) -> Principal:
        """The holder of the token of this name, after a proof of possession.

        Raises:
            Unauthenticated: there is no such token, or it has expired.
        """
        found = next((token for token in self._tokens if token.name == name), None)
        if found is None:
            raise Unauthenticated(_UNKNOWN)
        return _holder(found)

    def check(self, principal: Principal, verifier: Verifier | None) -> None:
        """Refuses a caller whose credential has become invalid during a session.

        Raises:
            Unauthenticated: the token was dropped, replaced or given another role, or the credential has expired.
        """
        if principal == self._local:
            return
        name = principal.name.removeprefix("token:")
        if self.named(name) != principal or self.verifier(name) != verifier:
            raise Unauthenticated("the token has been replaced: begin a session with the new one")

    def principal(self, credential: str | None) -> Principal:
        """The caller with this credential; without one `local`, if that is allowed.

        Raises:
            Unauthenticated: the credential is unknown, or has expired.
        """
        if credential is None:
            if self._local is None:
                raise Unauthenticated("a credential is needed: Authorization: Bearer TOKEN")
            return self._local
        if credential.startswith(_PREFIX):
            return self._by_token(credential)
        if self._keys:
            return self._by_jwt(credential)
        raise Unauthenticated(_UNKNOWN)

    def _by_token(self, text: str) -> Principal:
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        found = None
        for token in self._tokens:  # all tokens are compared, so that the time taken reveals nothing
            if compare_digest(token.digest, digest):
                found = token
        if found is None:
            raise Unauthenticated(_UNKNOWN)
        return _holder(found)

    def _by_jwt(self, text: str) -> Principal:
        import jwt

        try:
            head = jwt.get_unverified_header(text)
            key = self._keys.get(head.get("kid")) or (self._keys.get(None) if len(self._keys) == 1 else None)
            if key is None:
                raise Unauthenticated(_UNKNOWN)
            claims = jwt.decode(
                text,
                key,
                algorithms=list(_ALGORITHMS),
                issuer=self._security.jwt_issuer,
                audience=self._security.jwt_audience,
                options={"require": ["exp", "sub", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("this token has expired") from error
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise Unauthenticated(_UNKNOWN) from error
        role = claims.get("role", "reader")
        if role not in ROLES:
            raise Unauthenticated(f"the token's role is not one of {', '.join(ROLES)}")
        subject = claims["sub"]
        if not isinstance(subject, str) or not 1 <= len(subject) <= _SUBJECT:
            raise Unauthenticated(f"the token's sub is empty, or longer than {_SUBJECT} characters")
        return Principal(f"jwt:{subject}", role)


def _holder(token: Token) -> Principal:
    """The holder of a token.

    Raises:
        Unauthenticated: the token has expired.
    """
    if token.is_over():
        raise Unauthenticated("this token has expired")
    return Principal(f"token:{token.name}", token.role)


def _keys(path: Path) -> dict[str | None, Any]:
    """The public keys of a file by their id; None is the id of a key without one."""
    import jwt

    try:
        text = path.read_text(encoding="utf-8")
        if text.lstrip().startswith("{"):
            return {key.key_id: key for key in jwt.PyJWKSet.from_json(text).keys}
        if "PUBLIC KEY" not in text:
            raise DataError(f"{path} is neither a public key (PEM) nor a key set (JWKS)")
        return {None: text}
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    except (jwt.PyJWTError, UnicodeDecodeError, ValueError, KeyError) as error:
        raise DataError(f"{path} is neither a public key (PEM) nor a key set (JWKS)") from error
