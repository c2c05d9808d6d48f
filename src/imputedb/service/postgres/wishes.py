"""The query options of imputedb as settings of a session: how each is parsed and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from imputedb.sql.budget import Limits


def _number(text: str) -> float:
    found = float(text)
    if not 0 <= found <= 1:
        raise ValueError
    return found


def _level(text: str) -> float:
    found = float(text)
    if not 0 < found < 1:
        raise ValueError
    return found


def _whole(text: str) -> int:
    found = int(text)
    if not 0 <= found < 2**63:
        raise ValueError
    return found


def _draws(text: str) -> int | str:
    if text == "auto":
        return text
    found = int(text)
    if not 1 <= found <= 100_000:
        raise ValueError
    return found


def _imputers(text: str) -> str | list[str]:
    names = [name.strip() for name in text.split(",")]
    return names[0] if len(names) == 1 else names


def _among(*words: str) -> Callable[[str], str]:
    def chosen(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return chosen


def _above_zero(text: str) -> float | None:
    return Limits(within_ms=float(text)).within_ms if text else None


def _share(text: str) -> float | None:
    return Limits(error=float(text)).error if text else None


def _column(text: str) -> str | None:
    return text or None


OURS: Mapping[str, tuple[str, Callable[[str], Any], str]] = {
    "alpha": ("0", _number, "a number from 0 (the best answer) to 1 (the fastest)"),
    "imputer": ("tree", _imputers, "the name of an imputer, or several separated by commas"),
    "seed": ("0", _whole, "a whole number"),
    "m": ("1", _draws, "a number of draws, or auto"),
    "interval": ("population", _among("population", "answer"), "population or answer"),
    "level": ("0.95", _level, "a number between 0 and 1"),
    "fit": ("auto", _among("auto", "query", "table"), "auto, query or table"),
    "method": ("imputation", _among("imputation", "aipw", "ml", "bounds"), "imputation, aipw, ml or bounds"),
    "weights": ("", _column, "the name of a column, or empty"),
    "clusters": ("", _column, "the name of a column, or empty"),
    "within_ms": ("", _above_zero, "milliseconds above 0, or empty"),
    "error": ("", _share, "a share between 0 and 1, or empty"),
}
"""The settings `imputedb.NAME` by name: default, parser, and description of the values."""
