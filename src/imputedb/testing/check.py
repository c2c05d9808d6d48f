"""A check: one promise, and the call that finds out whether it is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from imputedb.errors import Error, ExtensionError


@dataclass(frozen=True, slots=True)
class Check:
    """One promise of an imputer or a measure; calling it raises where the promise is broken.

    Attributes:
        subject: whose promise it is, such as `imputer median`.
        promise: in a few words, such as `one seed gives one answer`.
        run: finds out.
    """

    subject: str
    promise: str
    run: Callable[[], None]

    def __call__(self) -> None:
        """Finds out whether the promise is kept.

        Raises:
            ExtensionError: it is not; the message says whose it is, which one, and what was seen.
        """
        try:
            self.run()
        except Error as error:
            raise ExtensionError(f"{self.subject}: {self.promise}: {error}") from error
        except Exception as error:
            raise ExtensionError(
                f"{self.subject}: {self.promise}: it fails with {type(error).__name__}: {error}"
            ) from error

    def __str__(self) -> str:
        return self.promise


def require(kept: object, seen: str) -> None:
    """Refuses what breaks a promise.

    Raises:
        ExtensionError: it is broken; `seen` says how.
    """
    if not kept:
        raise ExtensionError(seen)
