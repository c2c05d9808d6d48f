"""Authentication of clients by SCRAM-SHA-256 (RFC 5802, RFC 7677), with a token as the password."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from binascii import Error as NoBase64

from imputedb.service.errors import Refusal
from imputedb.service.request import Principal
from imputedb.service.security.tokens import ITERATIONS, Credentials

MECHANISM = "SCRAM-SHA-256"


class WrongPassword(Refusal):
    """A user and a password that do not match."""

    state = "28P01"


class Exchange:
    """The server's side of one exchange, for the user that the startup message names.

    The attributes have the names of RFC 5802: the client's first message without its header, the server's first
    message, and the client's final message without its proof. For an unknown user a verifier is made up, always with
    the same salt, so that clients cannot find out which users exist.
    """

    def __init__(self, credentials: Credentials, user: str) -> None:
        self._credentials = credentials
        self._user = user
        known = credentials.verifier(user)
        self._is_known = known is not None
        self._verifier = known or credentials.made_up(user)
        self._header = self._nonce = ""
        self._messages: list[str] = []

    def first(self, message: bytes) -> bytes:
        """The server's first message, given the client's first message.

        Raises:
            WrongPassword: the message is malformed, or requires channel binding.
        """
        try:
            flag, _, bare = message.decode("ascii").split(",", 2)
            attributes = _attributes(bare)
            if flag not in ("n", "y") or not attributes["r"] or "m" in attributes:
                raise ValueError
        except (ValueError, KeyError) as error:
            raise self._refused() from error
        self._header = f"{flag},,"
        self._nonce = attributes["r"] + secrets.token_urlsafe(18)
        salt = b64encode(self._verifier.salt).decode()
        self._messages = [bare, f"r={self._nonce},s={salt},i={ITERATIONS}"]
        return self._messages[1].encode()

    def last(self, message: bytes) -> tuple[bytes, Principal]:
        """The server's proof and the authenticated caller, given the client's final message.

        Raises:
            WrongPassword: the client's proof is wrong.
            Unauthenticated: the token has expired.
        """
        try:
            bare, _, proof = message.decode("ascii").rpartition(",p=")
            attributes, proved = _attributes(bare), b64decode(proof, validate=True)
            binding = b64decode(attributes["c"], validate=True)
            is_bound = binding == self._header.encode() and attributes["r"] == self._nonce
        except (ValueError, KeyError, NoBase64) as error:
            raise self._refused() from error
        signed = ",".join([*self._messages, bare]).encode()
        signature = hmac.digest(self._verifier.stored, signed, "sha256")
        key = bytes(one ^ other for one, other in zip(proved, signature, strict=False))
        is_right = hmac.compare_digest(hashlib.sha256(key).digest(), self._verifier.stored)
        if not (is_right and is_bound and len(proved) == len(signature) and self._is_known):
            raise self._refused()
        answer = b64encode(hmac.digest(self._verifier.server, signed, "sha256"))
        return b"v=" + answer, self._credentials.named(self._user)

    def _refused(self) -> WrongPassword:
        return WrongPassword(
            f"user {self._user} and this password do not go together: the user is the name of a token that "
            "`imputedb token add` has made, the password is the token"
        )


def _attributes(text: str) -> dict[str, str]:
    """The attributes of a SCRAM message by their letters."""
    return {part[:1]: part[2:] for part in text.split(",") if part[1:2] == "="}
