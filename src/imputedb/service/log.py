"""The log of a service: one JSON object per line, without any value of the data."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from imputedb.service.configuration import Log
from imputedb.service.core import Done

_FIELDS = "imputedb_fields"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            entry["exception"] = record.exc_info[0].__name__  # the message of an exception may hold values
        return json.dumps(entry, ensure_ascii=False)


class Journal:
    """The writer of the log."""

    def __init__(self, wanted: Log) -> None:
        self._share = wanted.share
        self._logger = logging.getLogger("imputedb.service")
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Json())
        for logger in (self._logger, logging.getLogger("uvicorn.error"), logging.getLogger("asyncio")):
            logger.handlers = [handler]
            logger.propagate = False
            logger.setLevel(wanted.level.upper())

    def note(self, event: str, **fields: Any) -> None:
        """Logs an expected event."""
        self._logger.info(event, extra={_FIELDS: fields})

    def warn(self, event: str, **fields: Any) -> None:
        """Logs an event that needs attention."""
        self._logger.warning(event, extra={_FIELDS: fields})

    def observe(self, done: Done) -> None:
        """Logs a finished request; of successful requests only a sample, chosen by their ids."""
        if done.status == "ok" and not self._is_sampled(done.id):
            return
        fields: dict[str, Any] = {
            "request": done.id,
            "kind": done.kind,
            "principal": done.principal.name,
            "role": done.principal.role,
            "statement": done.statement_hash,
            "status": done.status,
            "seconds": round(done.seconds, 6),
            "waited": round(done.waited, 6),
        }
        if done.answer is not None:
            report = done.answer.result.report
            fields |= {
                "rows": done.answer.count,
                "cells": sum(report.imputed.values()),
                "seed": report.seed,
                "m": report.m,
            }
            fields |= {"methods": sorted(set(report.methods.values())), "warnings": len(report.warnings)}
        if done.completed is not None:
            model = done.completed.model
            fields |= {"model": f"{model.name}@{model.version}", "cells": sum(done.completed.cells.values())}
        level = logging.INFO if done.status == "ok" else logging.WARNING
        self._logger.log(level, "request", extra={_FIELDS: fields})

    def _is_sampled(self, id_: str) -> bool:
        return int(id_[:8], 16) < self._share * 2**32
