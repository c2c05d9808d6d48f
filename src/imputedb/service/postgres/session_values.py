"""Values of the session that a statement reads or sets: its user and its settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from imputedb.service.postgres.settings import Settings, Unknown


@dataclass(frozen=True, slots=True)
class SessionValues:
    """The session as one statement sees it; settings that it changes take effect when it has run.

    Attributes:
        settings: a copy of the session's settings.
        number: process number of the session.
        database: name of the database.
        changes: settings to change, in order: name, value, and whether for the transaction only.
    """

    settings: Settings
    number: int
    database: str
    changes: list[tuple[str, str, bool]] = field(default_factory=list)

    def value(self, name: str, given: list[str]) -> str | None:
        """The value of a session function, such as `current_setting` or `set_config`, of its arguments.

        Raises:
            Unknown: there is no such setting, or it cannot have this value.
        """
        match name:
            case "current_setting":
                try:
                    return self.settings.get(given[0])
                except Unknown:
                    if given[1:2] in (["true"], ["t"]):
                        return None
                    raise
            case "set_config":
                change = (given[0], given[1], given[2:3] in (["true"], ["t"]))
                self.settings.set(*change[:2], local=change[2])
                self.changes.append(change)
                return given[1]
            case "pg_backend_pid":
                return str(self.number)
            case "current_catalog":
                return self.database
            case _:
                return self.settings.user
