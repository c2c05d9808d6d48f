"""The core that all doors hand requests to: admitted, checked, answered by a session, observed."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from imputedb.answers.description import Description
from imputedb.answers.explain import Explanation
from imputedb.border import ours
from imputedb.diagnostics.profile import Profile
from imputedb.errors import InternalError, StorageError
from imputedb.models.model import Model
from imputedb.planning.frontier import Frontier
from imputedb.result import Result
from imputedb.service.admission import Admission, Run
from imputedb.service.configuration import Configuration, Role
from imputedb.service.errors import Forbidden, NotFound, TooLarge
from imputedb.service.impute import Completed, Row, completed
from imputedb.service.instance import Instances, Lease
from imputedb.service.request import Principal, Request
from imputedb.service.security.rates import Rates

Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered, to be sent and then let go of.

    Attributes:
        result: what was done, and the rows where a door streams them.
        body: the rows as the door wants them.
        count: of rows that are given.
        truncated: whether there are more.
        lease: of what the rows are in.
        digest: of the first rows of an imputed answer, numbers to nine digits; empty of any other.
    """

    result: Result
    body: Any
    count: int
    truncated: bool
    lease: Lease
    digest: str

    def close(self) -> None:
        """Lets go of the rows."""
        self.lease.end()


Form = Callable[[Result, int, bool], Any]
"""Makes what a door sends of a result, so many of its rows, and whether there are more."""


@dataclass(frozen=True, slots=True)
class Done:
    """A request that is over, as observers are told of it.

    Attributes:
        kind: what was asked: `query`, `catalog`, `describe`, `explain`, `frontier`, `profile`, `models` or `impute`.
        principal: who asked.
        request: with its text; None of what is no statement.
        id: of the request.
        status: `ok`, or the name of the error.
        seconds: from its arrival to its answer.
        waited: seconds of these in the queue.
        answer: None where it has failed, or gave no rows.
        completed: rows that a kept model has filled in; None of anything else.
    """

    kind: str
    principal: Principal
    request: Request | None
    id: str
    status: str
    seconds: float
    waited: float
    answer: Answer | None = None
    completed: Completed | None = None

    @property
    def statement_hash(self) -> str:
        """The first 16 digits of the statement's SHA-256; empty of what is none."""
        return statement_hash(self.request.text) if self.request is not None and self.request.text else ""


Observer = Callable[[Done], None]


class Core:
    """One database, its sessions, and who may ask what of them.

    Attributes:
        configuration: of the service.
        name: of the database.
        instances: of the database.
        admission: of requests.
        rates: of callers.
        observers: told of every request that is over, before its answer leaves.
    """

    def __init__(self, path: Path, configuration: Configuration, remark: Callable[[str], None]) -> None:
        self.configuration = configuration
        self.name = path.stem
        self.instances = Instances(path, configuration, remark)
        self.admission = Admission(configuration.workers, configuration.queue)
        self.rates = Rates()
        self.observers: list[Observer] = []

    def role(self, principal: Principal) -> Role:
        """What a caller may ask for."""
        return self.configuration.roles.of(principal.role)

    def admit(self, principal: Principal) -> None:
        """Counts a request of a caller.

        Raises:
            TooMany: he has asked too often.
        """
        self.rates.take(principal.name, self.role(principal).per_minute)

    def answer(self, request: Request, form: Form) -> Run[Answer]:
        """The answer to a statement, its rows in the form of a door.

        Raises:
            Refusal: it is not admitted; once it is, the run's future has what goes wrong.
        """
        return self.submit("query", request, lambda lease, run: self._answered(request, form, lease, run))

    def explain(self, request: Request, *, analyze: bool) -> Run[Explanation]:
        """The plan of a query."""
        names = ("alpha", "imputer", "seed", "fit")
        wishes = {name: getattr(request, name) for name in names}

        def explained(lease: Lease, run: Run[Explanation]) -> Explanation:
            self._check(request, lease)
            with run.interruptible(lease.session.interrupt):
                return lease.session.explain(request.text, request.parameters, analyze=analyze, **wishes)

        return self.submit("explain", request, explained)

    def describe(self, request: Request, parameters: Mapping[str, str]) -> Run[Description]:
        """The columns of an answer, and the types of parameters, some of which are known by name."""
        names = ("imputer", "m", "interval", "method", "weights", "clusters", "fit")
        wishes = {name: getattr(request, name) for name in names}

        def told(lease: Lease, run: Run[Description]) -> Description:
            self._check(request, lease)
            with run.interruptible(lease.session.interrupt):
                return lease.session.describe(request.text, parameters, **wishes)

        return self.submit("describe", request, told)

    def frontier(self, request: Request) -> Run[Frontier | None]:
        """The plans that no other beats."""

        def found(lease: Lease, run: Run[Frontier | None]) -> Frontier | None:
            self._check(request, lease)
            with run.interruptible(lease.session.interrupt):
                return lease.session.frontier(
                    request.text, request.parameters, imputer=request.imputer, fit=request.fit
                )

        return self.submit("frontier", request, found)

    def tables(self) -> Mapping[str, Mapping[str, str]]:
        """Columns and types by table."""
        with self._leased() as lease:
            return lease.instance.tables

    def profile(self, request: Request, table: str) -> Run[Profile]:
        """What is missing where in a table."""

        def found(lease: Lease, run: Run[Profile]) -> Profile:
            if table not in lease.instance.tables:
                raise NotFound(f"there is no table {table}; /v1/tables lists those that there are")
            with run.interruptible(lease.session.interrupt):
                return lease.session.profile(table)[0]

        return self.submit("profile", request, found)

    def models(self, request: Request) -> Run[list[Model]]:
        """The current version of each kept model."""

        def found(lease: Lease, run: Run[list[Model]]) -> list[Model]:
            with run.interruptible(lease.session.interrupt):
                return lease.session.models()

        return self.submit("models", request, found)

    def impute(
        self,
        request: Request,
        name: str,
        rows: Sequence[Row],
        draw: int | None,
        keys: Sequence[int] | None,
        *,
        spread: bool,
    ) -> Run[Completed]:
        """Rows filled in by a kept model."""

        def filled(lease: Lease, _: Run[Completed]) -> Completed:
            return completed(lease.model(name), rows, draw, keys, spread=spread)

        return self.submit("impute", request, filled)

    def close(self) -> None:
        """Ends all threads, and closes the database."""
        self.admission.close()
        self.instances.close()

    def submit(self, kind: str, request: Request, work: Callable[[Lease, Run[Given]], Given]) -> Run[Given]:
        """Admits work on a session, which ends with the session given back and observers told."""
        role = self.role(request.principal)
        seconds = min(role.seconds, request.seconds if request.seconds is not None else role.seconds)
        began = time.monotonic()

        def done(run: Run[Given]) -> Given:
            found: Given | None = None
            status = "ok"
            try:
                found = self._on_session(work, run)
                return found
            except Exception as error:
                known = ours(error)
                status = type(known).__name__
                if isinstance(known, StorageError | InternalError):
                    self.instances.mend()
                raise known from error
            finally:
                self._tell(kind, request, status, time.monotonic() - began, run.waited or 0.0, found)

        return self.admission.submit(done, seconds)

    def _tell(self, kind: str, request: Request, status: str, seconds: float, waited: float, found: object) -> None:
        """Tells observers of a request that is over. Where one fails, such as the audit, its answer does not leave."""
        answer = found if isinstance(found, Answer) else None
        filled = found if isinstance(found, Completed) else None
        done = Done(kind, request.principal, request, request.id, status, seconds, waited, answer, filled)
        try:
            for observer in self.observers:
                observer(done)
        except BaseException:
            if answer is not None:
                answer.close()
            raise

    def _on_session(self, work: Callable[[Lease, Run[Given]], Given], run: Run[Given]) -> Given:
        lease = self.instances.take()
        kept = False
        try:
            found = work(lease, run)
            kept = isinstance(found, Answer)
            return found
        finally:
            if not kept:  # an answer has its session until it is closed
                lease.end()

    @contextmanager
    def _leased(self) -> Iterator[Lease]:
        lease = self.instances.take()
        try:
            yield lease
        finally:
            lease.end()

    def _answered(self, request: Request, form: Form, lease: Lease, run: Run[Answer]) -> Answer:
        role = self.role(request.principal)
        self._check(request, lease)
        most = min(role.rows, request.rows if request.rows is not None else role.rows)
        with run.interruptible(lease.session.interrupt):
            result = lease.session.sql(request.text, request.parameters, **request.wishes())
            rows = len(result)
            count = min(rows, most)
            digest = _digest(result) if any(result.report.imputed.values()) else ""
            return Answer(result, form(result, count, rows > most), count, rows > most, lease, digest)

    def _check(self, request: Request, lease: Lease) -> None:
        """Refuses what the caller may not ask.

        Raises:
            Refusal: he may not.
        """
        role = self.role(request.principal)
        if isinstance(request.m, int) and request.m > role.draws:
            raise Forbidden(f"m is {request.m}; role {request.principal.role} may have {role.draws} draws")
        if request.m == "auto" and request.principal.role == "reader":
            raise Forbidden("m = 'auto' takes as many draws as it needs: role reader names their number")
        most = self.configuration.limits.parameters
        if request.parameters is not None and len(request.parameters) > most:
            raise TooLarge(f"the statement has more than {most:,} parameters")
        named = request.parameters if isinstance(request.parameters, Mapping) else {}
        if not all(re.fullmatch(r"\w+", name) for name in named):
            raise Forbidden("names of parameters are letters, digits and _ here")
        lease.instance.guard.check(request.text)
        lease.instance.guard.check_column("weights", request.weights)
        lease.instance.guard.check_column("clusters", request.clusters)


def statement_hash(text: str) -> str:
    """What tells statements apart where their texts, which may hold values, are not to be shown."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


_COMPARED = 1000
"""Rows of an answer that are compared with those of the same request before."""


def _digest(result: Result) -> str:
    """What tells answers apart: sums of floating numbers differ in their last bits, and rows may come in any order."""
    shown = [[f"{one:.9g}" if isinstance(one, float) else one for one in row] for row in result.first(_COMPARED)]
    rows = sorted(map(repr, shown))
    return hashlib.sha256("\n".join(rows).encode("utf-8", "replace")).hexdigest()
