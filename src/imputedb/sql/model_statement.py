"""Statements about imputation models, parsed from their tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from imputedb.sql.token_reader import TokenReader
from imputedb.sql.tokens import Token


@dataclass(frozen=True, slots=True)
class ModelStatement:
    """CREATE, REFRESH, ALTER, DROP, DESCRIBE IMPUTATION MODEL, or SHOW IMPUTATION MODELS.

    Attributes:
        verb: create, refresh, alter, drop, describe or show.
        name: name of the model; empty for SHOW.
        version: version of the model; None for the current one, or with DROP for all.
        table: table of the model.
        columns: columns that it imputes; empty for all incomplete ones.
        where: condition in SQL on the rows to learn from; None for all.
        imputer: imputer to fit; None for the default.
        options: `sample`, `draws` and `seed`, where given.
        replaces: whether an existing model of the name is replaced.
        if_exists: whether dropping a model that does not exist is allowed.
        renamed: new name in ALTER; None where it sets the version.
        canary: whether the version made by REFRESH does not become the current one yet.
    """

    verb: str
    name: str = ""
    version: int | None = None
    table: str = ""
    columns: tuple[str, ...] = ()
    where: str | None = None
    imputer: str | None = None
    options: Mapping[str, int] = field(default_factory=dict)
    replaces: bool = False
    if_exists: bool = False
    renamed: str | None = None
    canary: bool = False


GRAMMAR = (
    "CREATE [OR REPLACE] IMPUTATION MODEL name ON table[(column, ...)] [WHERE condition] [USING imputer] "
    "[WITH (sample = n, draws = n, seed = n)]; REFRESH IMPUTATION MODEL name [AS CANARY]; "
    "ALTER IMPUTATION MODEL name RENAME TO name | SET VERSION n; DROP IMPUTATION MODEL [IF EXISTS] name[@version]; "
    "DESCRIBE IMPUTATION MODEL name[@version]; SHOW IMPUTATION MODELS"
)

OPTIONS = ("sample", "draws", "seed")
"""What WITH may set."""

_VERBS = ("create", "refresh", "alter", "drop", "describe", "show")


def model_statement(text: str, found: Sequence[Token]) -> ModelStatement | None:
    """The parsed statement about imputation models; None for any other statement.

    Raises:
        SqlSyntaxError: the statement does not follow the grammar, which the message shows.
    """
    found = [token for token in found if token.text != ";"]
    words = [token.word for token in found]
    if not words or words[0] not in _VERBS or not is_about_models(words):
        return None
    return _ModelParser(text, found, "an imputation model", GRAMMAR).statement()


def is_about_models(words: Sequence[str]) -> bool:
    """Whether IMPUTATION MODEL or IMPUTATION MODELS is among the first words."""
    return any(
        words[at] == "imputation" and words[at + 1] in ("model", "models") for at in range(min(4, len(words) - 1))
    )


class _ModelParser(TokenReader):
    def statement(self) -> ModelStatement:
        verb = self.next()
        replaces = verb == "create" and self.accept("or", "replace")
        self.expect("imputation", "models" if verb == "show" else "model")
        if verb == "show":
            found = ModelStatement(verb)
        elif verb == "create":
            found = self._created(replaces)
        else:
            if_exists = verb == "drop" and self.accept("if", "exists")
            name, version = self._versioned()
            if verb in ("refresh", "alter") and version is not None:
                raise self.syntax_error()
            altered = self._altered(name) if verb == "alter" else None
            canary = verb == "refresh" and self.accept("as", "canary")
            found = altered or ModelStatement(verb, name, version, if_exists=if_exists, canary=canary)
        if not self.is_done:
            raise self.syntax_error()
        return found

    def _created(self, replaces: bool) -> ModelStatement:
        name = self.name()
        self.expect("on")
        table = self.path()
        columns = tuple(self.list()) if self.word() == "(" else ()
        where = self.until("using", "with") if self.accept("where") else None
        imputer = self.name() if self.accept("using") else None
        options = self._options() if self.accept("with") else {}
        return ModelStatement("create", name, None, table, columns, where, imputer, options, replaces=replaces)

    def _altered(self, name: str) -> ModelStatement:
        if self.accept("rename", "to"):
            return ModelStatement("alter", name, renamed=self.name())
        self.expect("set", "version")
        return ModelStatement("alter", name, self._whole())

    def _options(self) -> dict[str, int]:
        found: dict[str, int] = {}
        self.expect("(")
        while True:
            word = self.next()
            if word not in OPTIONS or word in found:
                raise self.syntax_error()
            self.accept("=")
            found[word] = self._whole()
            if self.accept(")"):
                return found
            self.expect(",")

    def _versioned(self) -> tuple[str, int | None]:
        """A name, and the version after its @."""
        name, version = versioned(self.name())
        if self.accept("@"):
            return name, self._whole()
        return name, version

    def _whole(self) -> int:
        number = self.number()
        if not (number.is_integer() and number >= 0):
            raise self.syntax_error()
        return int(number)


def versioned(name: str) -> tuple[str, int | None]:
    """A model's name, and the version after an @, as in `vitals@3`; None without one."""
    before, at, after = name.rpartition("@")
    return (before, int(after)) if at and before and after.isdecimal() else (name, None)
