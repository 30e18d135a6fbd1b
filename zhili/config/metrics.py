"""/metrics for the county's monitoring, behind a key: how the machine does, never how a person or a village does.

Nothing here counts log-ins, clicks or anybody's use (G-03, U-61): ALLOWED is the whole list of names and labels, and a
test compares it with what is sent. Requests are counted by face (phone, desk, open, api) and class of answer.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from zhili.common import readonly, status
from zhili.common.policy import open_to_all
from zhili.common.scope import EVERYWHERE, scoped
from zhili.config import health, wal

PATH: Final = "/metrics"
FACES: Final = {"/m/": "phone", "/desk/": "desk", "/open/": "open", "/api/": "api", "/login": "login"}
BUCKETS: Final = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ALLOWED: Final[dict[str, tuple[str, ...]]] = {
    "zhili_requests_total": ("face", "status"),
    "zhili_request_seconds": ("face", "le"),
    "zhili_up": (),
    "zhili_read_only": (),
    "zhili_disk_free_bytes": (),
    "zhili_database_connections": (),
    "zhili_database_connections_limit": (),
    "zhili_job_age_seconds": ("job",),
    "zhili_jobs_failing": (),
    "zhili_outbox_waiting": (),
    "zhili_outbox_oldest_seconds": (),
    "zhili_backup_age_seconds": (),
    "zhili_backup_log_waiting": (),
    "zhili_anchor_age_seconds": (),
    "zhili_verify_ok": (),
    "zhili_verify_age_seconds": (),
    "zhili_ledger_alarms": (),
    "zhili_clock_offset_seconds": ("clock",),
}
"""Every series and its labels. Adding one is a decision about what the county may watch: machines, never people."""
log = logging.getLogger(__name__)


def key(var: Path) -> str:
    """The key of this page, made at first use; the administrator gives it to the monitoring (keys/metrics.key)."""
    path = var / "keys" / "metrics.key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f".metrics.{os.getpid()}")
        temporary.touch(mode=0o600)
        temporary.write_text(secrets.token_urlsafe(32))
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_text().strip()


def face_of(path: str) -> str:
    return next((face for start, face in FACES.items() if path.startswith(start)), "other")


class Measured:
    """Counts of this process; prometheus_client adds those of all processes up."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Histogram

        self.requests = Counter("zhili_requests", "requests answered", ["face", "status"], registry=None)
        self.seconds = Histogram(
            "zhili_request_seconds", "seconds to answer", ["face"], buckets=BUCKETS, registry=None
        )


_measured: list[Measured] = []


def measured() -> Measured:
    """Made at the first request: by then the server has said where counts are shared (serving.py)."""
    if not _measured:
        _measured.append(Measured())
    return _measured[0]


def count_requests(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: one count and one duration per page. /health and /metrics are answered here, whatever else is wrong."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path in (PATH, health.PATH):
            return _apart(request, get_response)
        if request.path.startswith("/static/"):
            return get_response(request)
        started = time.perf_counter()
        response = get_response(request)
        face, counts = face_of(request.path), measured()
        counts.requests.labels(face, f"{response.status_code // 100}xx").inc()
        counts.seconds.labels(face).observe(time.perf_counter() - started)
        return response

    return middleware


def _apart(request: HttpRequest, get_response: Callable[[HttpRequest], HttpResponse]) -> HttpResponse:
    """Outside the request's transaction: these two pages must come when the database does not."""
    if request.path == health.PATH:
        return health.health(request)
    try:
        return page(request)
    except Http404:
        return get_response(request)  # the same words as for any page that is not there


@require_safe
@open_to_all
def page(request: HttpRequest) -> HttpResponse:
    """Prometheus text for the holder of the key; for anybody else there is no such page."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), key(settings.VAR).encode()):
        raise Http404
    answer = HttpResponse(text(), content_type="text/plain; version=0.0.4; charset=utf-8")
    answer["Cache-Control"] = "no-store"
    return answer


def text() -> bytes:
    """All series of ALLOWED that have a value now."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)
    else:
        registry.register(measured().requests)
        registry.register(measured().seconds)
    registry.register(_Gauges())
    return generate_latest(registry)


class _Gauges(Collector):
    """Looked up at the moment somebody asks."""

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        up = health.database_answers()
        rows: list[tuple[str, str, list[str], list[tuple[list[str], float]]]] = [
            ("zhili_up", "1 where the database answers", [], [([], float(up))]),
            ("zhili_read_only", "1 in read-only mode", [], [([], float(readonly.state().on))]),
            ("zhili_disk_free_bytes", "free on the data disk", [], [([], float(health.disk().free))]),
            (
                "zhili_backup_log_waiting",
                "pieces of log not sent",
                [],
                [([], float(len(wal.waiting(settings.VAR))))],
            ),
        ]
        for name, kept in (("zhili_backup_age_seconds", "backup"), ("zhili_verify_age_seconds", "verify")):
            age = status.age_seconds(settings.VAR, kept)
            if age is not None:
                rows.append((name, f"since the last {kept}", [], [([], age)]))
        verified = status.read(settings.VAR, "verify")
        if verified is not None:
            rows.append(
                (
                    "zhili_verify_ok",
                    "1 where the last check found the books whole",
                    [],
                    [([], float(bool(verified.get("ok"))))],
                )
            )
        if up:
            rows += _database_rows()
        for name, words, labels, values in rows:
            family = GaugeMetricFamily(name, words, labels=labels)
            for label_values, value in values:
                family.add_metric(label_values, value)
            yield family


_QUESTIONS: Final = (
    ("zhili_database_connections", "open connections",
     "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"),
    ("zhili_database_connections_limit", "most the server allows", "SELECT current_setting('max_connections')::float"),
    ("zhili_outbox_waiting", "messages not yet sent", "SELECT count(*) FROM common_message WHERE state = 'waiting'"),
    ("zhili_outbox_oldest_seconds", "the oldest of them that is due",
     "SELECT coalesce(extract(epoch FROM now() - min(due)), 0) FROM common_message"
     " WHERE state = 'waiting' AND due <= now()"),
    ("zhili_jobs_failing", "daily jobs that failed today",
     "SELECT count(*) FROM common_dailyrun WHERE done_at IS NULL AND tries > 0 AND day >= current_date - 1"),
    ("zhili_ledger_alarms", "villages whose book is stopped", "SELECT count(*) FROM ledger_alarm WHERE lifted_at IS NULL"),
    ("zhili_anchor_age_seconds", "since fingerprints were last published",
     "SELECT extract(epoch FROM now() - max(done_at)) FROM common_dailyrun WHERE name = 'ledger.publish_heads'"),
)  # fmt: skip


def _database_rows() -> list[tuple[str, str, list[str], list[tuple[list[str], float]]]]:
    from zhili.config import timecheck

    rows: list[tuple[str, str, list[str], list[tuple[list[str], float]]]] = []
    try:
        with scoped(EVERYWHERE), connection.cursor() as cursor:
            for name, words, question in _QUESTIONS:
                cursor.execute(question)
                (value,) = cursor.fetchone()
                if value is not None:
                    rows.append((name, words, [], [([], float(value))]))
            cursor.execute(
                "SELECT name, extract(epoch FROM now() - max(done_at)) FROM common_dailyrun"
                " WHERE done_at IS NOT NULL GROUP BY name ORDER BY name"
            )
            ages = [([str(name)], float(age)) for name, age in cursor.fetchall()]
            rows.append(("zhili_job_age_seconds", "since a daily job last ended well", ["job"], ages))
        clocks = [([c.name], c.offset) for c in timecheck.check() if c.offset is not None]
        rows.append(("zhili_clock_offset_seconds", "ahead of this machine", ["clock"], clocks))
    except DatabaseError:
        log.exception("metrics of the database could not be read")
    return rows
