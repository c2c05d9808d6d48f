"""A check of one property, with the function that tests it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from imputedb.errors import Error, ExtensionError


@dataclass(frozen=True, slots=True)
class Check:
    """A check of one property of an imputer, a measure or an engine; calling it raises an error if it does not hold.

    Attributes:
        subject: what is checked, such as `imputer median`.
        promise: the property in a few words, such as `one seed gives one answer`.
        run: function that tests the property.
    """

    subject: str
    promise: str
    run: Callable[[], None]

    def __call__(self) -> None:
        """Tests the property.

        Raises:
            ExtensionError: it does not hold; the message has subject, property and observation.
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
    """Raises an error unless a condition holds.

    Raises:
        ExtensionError: it does not hold; `seen` describes the observation.
    """
    if not kept:
        raise ExtensionError(seen)
