"""The life of a service: its parts are started in order, and ended in the opposite order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from imputedb.errors import Error, StorageError
from imputedb.service.audit import Audit
from imputedb.service.configuration import Configuration
from imputedb.service.core import Core
from imputedb.service.http.background import Background
from imputedb.service.http.routes import application
from imputedb.service.http.server import serve
from imputedb.service.jobs.runner import Ended, JobRunner
from imputedb.service.jobs.store import Jobs
from imputedb.service.log import Journal
from imputedb.service.metrics.gauges import refreshing
from imputedb.service.metrics.jobs import observing
from imputedb.service.metrics.meter import Meter
from imputedb.service.postgres.server import PostgresServer
from imputedb.service.security.tokens import Credentials
from imputedb.service.side import Side


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of a running service.

    Attributes:
        core: answers requests, observed by the log, the audit and the meter.
        side: the side file.
        jobs: the jobs in that file.
        runner: runs the jobs.
        meter: measures requests and jobs.
    """

    core: Core
    side: Side
    jobs: Jobs
    runner: JobRunner
    meter: Meter

    @property
    def background(self) -> Background:
        """The routes about jobs and the audit log."""
        return Background(self.core, self.jobs, self.runner, self.side)


@contextmanager
def opened(path: Path, configuration: Configuration, journal: Journal) -> Iterator[Service]:
    """A service over a database. Its parts are started by dependency, and ended in the opposite order.

    Raises:
        StorageError: the database or the side file cannot be opened.
    """
    with ExitStack() as ending:
        side = Side(configuration.side or path.with_name(path.name + ".imputedb"))
        ending.callback(side.close)
        meter, jobs = Meter(), Jobs(side)

        def recorded(digest: str, number: int) -> None:
            meter.set_records(audit.written)
            journal.note("audit", head=digest, records=number)

        audit = Audit(side, recorded)
        ending.callback(audit.close)
        core = Core(path, configuration, journal.warn)
        ending.callback(core.close)
        core.observers += [audit.observe, meter.observe, journal.observe]
        meter.before_each_scrape(refreshing(core, meter))
        folder = configuration.jobs or path.with_name(path.name + ".jobs")
        confined = core.instances.memory if configuration.sandbox else None
        runner = JobRunner(jobs, path, configuration.memory, folder, journal.warn, confined)
        meter.before_each_scrape(lambda: meter.of("imputedb_jobs_waiting").set(jobs.waiting()))
        runner.observers += [observing(meter), lambda ended: _note(journal, ended)]
        ending.callback(runner.close)
        runner.start()
        yield Service(core, side, jobs, runner, meter)


def _note(journal: Journal, ended: Ended) -> None:
    job = ended.job
    journal.note("job", job=job.id, kind=job.kind, state=job.state, seconds=round(ended.seconds, 3), cpu=ended.cpu)


def run(path: Path, configuration: Configuration) -> None:
    """Serves a database until the process is asked to end.

    Raises:
        StorageError: the database cannot be opened, or the address cannot be listened on.
        QueryError, DataError: files that the configuration names are not valid.
    """
    journal = Journal(configuration.log)
    credentials = Credentials(configuration.security, is_loopback=configuration.is_loopback)
    with opened(path, configuration, journal) as service:
        _serve(service, configuration, credentials, journal)
    journal.note("ended")


def _serve(service: Service, configuration: Configuration, credentials: Credentials, journal: Journal) -> None:
    host, port = configuration.address

    def ready() -> None:
        encrypted = "https" if configuration.tls else "http"
        journal.note("ready", address=f"{encrypted}://{host}:{port}", tables=len(service.core.tables()))
        if not configuration.is_loopback and configuration.tls is None:
            journal.warn("credentials and answers are sent unencrypted: set tls, or put a proxy with TLS before it")

    def reload() -> None:
        try:
            credentials.reload()
            journal.note("credentials were read again")
        except Error as error:
            journal.warn(f"credentials were not read again: {error}")

    def ending() -> None:
        service.core.admission.refuse()
        patience = threading.Timer(configuration.drain_seconds, service.core.admission.stop)
        patience.daemon = True
        patience.start()
        journal.note("ending")

    app = application(service.core, credentials, service.meter.exposition, service.background)
    with _beside(service, configuration, credentials, journal):
        try:
            serve(app, configuration, ready=ready, ending=ending, reload=reload)
        except SystemExit as error:  # uvicorn raises it for an address that it cannot listen on
            raise StorageError(
                f"cannot listen at {configuration.http}: the address is in use, or not of this machine"
            ) from error


@contextmanager
def _beside(
    service: Service, configuration: Configuration, credentials: Credentials, journal: Journal
) -> Iterator[None]:
    """The Postgres interface, where the configuration enables it."""
    if configuration.postgres is None:
        yield
        return
    door = PostgresServer(
        service.core, credentials, configuration, lambda name: journal.warn("a mistake of ours", exception=name)
    )
    door.open()
    journal.note("listening", address=f"postgres://{configuration.postgres}")
    service.meter.before_each_scrape(lambda: service.meter.of("imputedb_connections", "postgres").set(door.connections))
    try:
        yield
    finally:
        door.close(configuration.drain_seconds)
