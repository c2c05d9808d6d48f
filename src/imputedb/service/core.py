"""The core behind all network interfaces: a request is admitted, checked, answered in a session, and observed."""

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
from imputedb.service.sandbox.worker import PlanData
from imputedb.service.security.rates import Rates
from imputedb.sql.parameters import names

Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that holds its session until it is closed.

    Attributes:
        result: the report, and the rows where the interface streams them.
        body: the rows in the form of the interface.
        count: number of rows that are sent.
        truncated: whether the result has more rows than that.
        lease: the session that holds the rows.
        digest: hash of the first rows, numbers to nine digits; empty for an answer without imputed values.
    """

    result: Result
    body: Any
    count: int
    truncated: bool
    lease: Lease
    digest: str

    def close(self) -> None:
        """Releases the rows and their session."""
        self.lease.end()


Form = Callable[[Result, int, bool], Any]
"""A function that formats a result for an interface, given the number of rows and whether there are more."""


@dataclass(frozen=True, slots=True)
class Done:
    """A finished request, as observers receive it.

    Attributes:
        kind: `query`, `catalog`, `describe`, `explain`, `frontier`, `profile`, `models` or `impute`.
        principal: the caller.
        request: the request with its text; None where there is no statement.
        id: identifier of the request.
        status: `ok`, or the class name of the error.
        seconds: from its arrival to its answer.
        waited: of these, seconds in the queue.
        answer: the answer; None for requests that failed or return no rows.
        completed: rows that a kept model has filled in; None for all other kinds.
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
        """The first 16 digits of the statement's SHA-256; empty where there is no statement."""
        return statement_hash(self.request.text) if self.request is not None and self.request.text else ""


Observer = Callable[[Done], None]


class Core:
    """One database with its sessions, admission control and rate limits, shared by all network interfaces.

    Attributes:
        configuration: configuration of the service.
        name: name of the database.
        instances: the open database file, reopened when it is replaced.
        admission: worker threads and their queue.
        rates: rate limits by caller.
        observers: functions that receive every finished request, before its answer is sent.
    """

    def __init__(self, path: Path, configuration: Configuration, remark: Callable[[str], None]) -> None:
        self.configuration = configuration
        self.name = path.stem
        self.instances = Instances(path, configuration, remark)
        self.admission = Admission(configuration.workers, configuration.queue)
        self.rates = Rates()
        self.observers: list[Observer] = []

    def role(self, principal: Principal) -> Role:
        """The limits of a caller's role."""
        return self.configuration.roles.of(principal.role)

    def admit(self, principal: Principal) -> None:
        """Counts a request against the rate limit of its caller.

        Raises:
            TooMany: the caller has used up the limit.
        """
        self.rates.take(principal.name, self.role(principal).per_minute)

    def answer(self, request: Request, form: Form) -> Run[Answer]:
        """The answer to a statement, its rows in the given form.

        Raises:
            Refusal: the request is not admitted; later errors are in the future of the run.
        """
        return self.submit("query", request, lambda lease, run: self._answered(request, form, lease, run))

    def explain(self, request: Request, *, analyze: bool) -> Run[Explanation | PlanData]:
        """The plan of a query."""
        wishes = {name: getattr(request, name) for name in ("alpha", "imputer", "seed", "fit")}

        def explained(lease: Lease, run: Run[Explanation | PlanData]) -> Explanation | PlanData:
            self._check(request, lease)
            with run.interruptible(lease.executor.interrupt):
                return lease.executor.explain(request.limited_text, request.parameters, analyze=analyze, **wishes)

        return self.submit("explain", request, explained)

    def describe(self, request: Request, parameters: Mapping[str, str]) -> Run[Description]:
        """The columns of an answer and the types of its parameters; `parameters` has the types that are known."""
        options = ("imputer", "m", "interval", "method", "weights", "clusters", "fit")
        wishes = {name: getattr(request, name) for name in options} | ({"m": "auto"} if request.is_open else {})

        def described(lease: Lease, run: Run[Description]) -> Description:
            self._check(request, lease)
            with run.interruptible(lease.executor.interrupt):
                return lease.executor.describe(request.text, parameters, **wishes)

        return self.submit("describe", request, described)

    def frontier(self, request: Request) -> Run[Frontier | list[PlanData] | None]:
        """The frontier of plans: those that no other plan beats in both penalty and time."""

        def found(lease: Lease, run: Run[Frontier | list[PlanData] | None]) -> Frontier | list[PlanData] | None:
            self._check(request, lease)
            with run.interruptible(lease.executor.interrupt):
                return lease.executor.frontier(
                    request.text, request.parameters, imputer=request.imputer, fit=request.fit
                )

        return self.submit("frontier", request, found)

    def tables(self) -> Mapping[str, Mapping[str, str]]:
        """The columns and types of each table."""
        with self._leased() as lease:
            return lease.instance.tables

    def profile(self, request: Request, table: str) -> Run[Profile]:
        """Counts and patterns of missing values of a table."""

        def found(lease: Lease, run: Run[Profile]) -> Profile:
            if table not in lease.instance.tables:
                raise NotFound(f"there is no table {table}; /v1/tables lists the tables")
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
        """Admits work in a session; afterwards the session is returned and observers receive the request."""
        role = self.role(request.principal)
        seconds = min(role.seconds, request.seconds if request.seconds is not None else role.seconds)
        began = time.monotonic()

        def done(run: Run[Given]) -> Given:
            found: Given | None = None
            status = "ok"
            try:
                self._check_bounds(request)
                found = self._on_session(work, run)
                return found
            except Exception as error:
                known = ours(error)
                status = type(known).__name__
                if isinstance(known, StorageError | InternalError):
                    self.instances.reopen_if_broken()
                raise known from error
            finally:
                self._notify(kind, request, status, time.monotonic() - began, run.waited or 0.0, found)

        return self.admission.submit(done, seconds)

    def _notify(self, kind: str, request: Request, status: str, seconds: float, waited: float, found: object) -> None:
        """Passes a finished request to the observers. Where one fails, such as the audit, the answer is not sent."""
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
        lease = self.instances.lease()
        kept = False
        try:
            found = work(lease, run)
            kept = isinstance(found, Answer)
            return found
        finally:
            if not kept:  # an answer holds its session until it is closed
                lease.end()

    @contextmanager
    def _leased(self) -> Iterator[Lease]:
        lease = self.instances.lease()
        try:
            yield lease
        finally:
            lease.end()

    def _answered(self, request: Request, form: Form, lease: Lease, run: Run[Answer]) -> Answer:
        self._check(request, lease)
        role = self.role(request.principal)
        most = min(role.rows, request.rows if request.rows is not None else role.rows)
        with run.interruptible(lease.executor.interrupt):
            result = lease.executor.sql(request.text, request.parameters, **request.wishes())
            rows = len(result)
            count = min(rows, most)
            digest = _digest(result) if any(result.report.imputed.values()) else ""
            return Answer(result, form(result, count, rows > most), count, rows > most, lease, digest)

    def _check_bounds(self, request: Request) -> None:
        """Refuses requests beyond the limits of the caller's role, whatever their statement.

        Raises:
            Refusal: the request has too many draws or parameters.
        """
        role = self.role(request.principal)
        if isinstance(request.m, int) and request.m > role.draws:
            raise Forbidden(f"m is {request.m}; role {request.principal.role} may have {role.draws} draws")
        if request.is_open and request.principal.role == "reader":
            which = "m = 'auto'" if request.m == "auto" else "ERROR"
            raise Forbidden(f"{which} takes as many draws as it needs: role reader must give their number as m")
        limits, given = self.configuration.limits, request.parameters or ()
        there = names(request.text) if len(request.text) <= limits.statement_bytes else ()  # the guard refuses others
        if max(len(given), len(there)) > limits.parameters:
            raise TooLarge(f"the statement has more than {limits.parameters:,} parameters")
        if isinstance(given, Mapping) and not all(re.fullmatch(r"\w+", name) for name in given):
            raise Forbidden("names of parameters may only have letters, digits and _ here")

    def _check(self, request: Request, lease: Lease) -> None:
        """Refuses a statement that reads anything but the database's tables.

        Raises:
            Refusal: the statement does so.
        """
        lease.instance.guard.check(request.text)
        lease.instance.guard.check_column("weights", request.weights)
        lease.instance.guard.check_column("clusters", request.clusters)


def statement_hash(text: str) -> str:
    """A hash of a statement, logged in place of its text, which may hold values."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


_COMPARED = 1000
"""Number of an answer's rows that are compared with an earlier answer to the same request."""


def _digest(result: Result) -> str:
    """A hash of an answer's first rows. Numbers are rounded, since sums differ in their last bits; rows are sorted."""
    shown = [[f"{one:.9g}" if isinstance(one, float) else one for one in row] for row in result.first(_COMPARED)]
    rows = sorted(map(repr, shown))
    return hashlib.sha256("\n".join(rows).encode("utf-8", "replace")).hexdigest()
