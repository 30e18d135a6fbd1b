"""The phone's home page in a county of 60,000 households and 5,000,000 transfers, through the real server.

First counts SQL statements of the page in process, for households with none, few and many transfers, in a small
and in the full database: the same number, or the mark is missed. Then `zhili serve` is started on the full one
and 50 villagers with real sessions read their page. Then claims are handed in through the real action.
Times are printed, not judged: they are of this machine at this moment. The databases are kept in .cache/bench-var.

    python -m bench.phone_home            600 and 60,000 households; the first run builds, later ones reuse
    python -m bench.phone_home --small    600 households, 50,000 transfers only
    python -m bench.phone_home --fresh    build again
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bench import county, support
from bench.county import FULL, SMALL, Size

if TYPE_CHECKING:
    from zhili.people.models import User

VILLAGERS: Final = 50
FIRST_VISITS: Final = 300
REQUESTS: Final = 400
PAGES_ALONE: Final = 60
CLAIMS: Final = 100
START_SECONDS: Final = 60
NONE: Final = "no transfer"
BACKEND: Final = "allauth.account.auth_backends.AuthenticationBackend"
WITNESS: Final = "测速证明人"


@dataclass(frozen=True, slots=True)
class Visitor:
    """One villager with a session. code: the household's, which the page must show."""

    cookie: str
    code: str


def main(*, small: bool = False, fresh: bool = False) -> bool:
    """Build or reuse, count, serve and measure; whether the number of statements was constant."""
    counts: dict[str, int] = {}
    for size in [SMALL] if small else [SMALL, FULL]:
        name = f"zhili_bench_county_{size.all_households}"
        print(f"  {size.all_households:,} households, {size.transfers:,} transfers ({name})", flush=True)
        kept = support.kept_database(name, size.stamp, partial(county.build, name, size), fresh=fresh)
        if kept:
            print("    reused as built earlier; --fresh builds it again")
        counts |= count_statements(size)
    usual = max(counts.values())
    # A household that never had a line has no account to read a passbook of.
    met = all(count == usual - (title.endswith(NONE)) for title, count in counts.items())
    support.mark(
        f"phone home: {usual} SQL statements ({usual - 1} before the first line) whatever the household and the size"
        f" of the county; {len(counts)} cases",
        met,
    )
    size = SMALL if small else FULL
    visitors = [_visitor(user) for user in villagers(size)]
    print(
        f"  load of this machine now {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: times below are of it"
    )
    one_page_alone(villagers(size)[-1])
    with server() as port:
        measure_pages(port, visitors, size)
    measure_claims(size)
    return met


def villagers(size: Size) -> list[User]:
    """Heads of households without a role, of as many villages as there are, from households with few lines to many."""
    from zhili.people.models import User

    names = []
    for number in range(VILLAGERS):
        village = 1 + number * size.villages // VILLAGERS
        household = 4 + number * 37 % (size.households - 3)
        names.append(f"bench-{village}-{household}")
    found = list(User.objects.filter(username__in=names).order_by("pk"))
    assert len(found) == VILLAGERS, "the county is not as built"
    return found


# -- statements ---------------------------------------------------------------------------------------------


def count_statements(size: Size) -> dict[str, int]:
    """Statements of one GET /m/ by kind of household: no transfer, the fewest, the most, on notice or not."""
    from zhili.people.models import User

    ranks = {
        NONE: 7,
        "few transfers": size.households // 5 + 1,
        "half-way": size.households // 2 + 1,
        "many, on notice, claim waiting": size.households,
    }
    counts = {}
    for title, rank in ranks.items():
        user = User.objects.get(username=f"bench-{size.villages}-{rank}")
        found = statements_of_home(user)
        counts[f"{size.all_households} {title}"] = len(found)
        print(f"    {len(found)} statements, {_lines_of(user)} lines in the purses: {title}", flush=True)
    if size is SMALL:
        print("      " + _in_words(found))
    return counts


def statements_of_home(user: User) -> list[str]:
    """The SQL of the second visit: the first one of a process also parses the village's rule book."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client()
    client.force_login(user, BACKEND)
    client.get("/m/")
    with CaptureQueriesContext(connection) as captured:
        answer = client.get("/m/")
    assert answer.status_code == 200, answer.status_code
    return _plain(captured.captured_queries)


def one_page_alone(user: User) -> None:
    """Print what one page costs in this process, which other work on the machine disturbs least."""
    from django.test import Client

    client = Client()
    client.force_login(user, BACKEND)
    processor, wall = [], []
    for _ in range(PAGES_ALONE):
        started, used = time.perf_counter(), time.process_time()
        client.get("/m/")
        wall.append((time.perf_counter() - started) * 1000)
        processor.append((time.process_time() - used) * 1000)
    print(
        f"    one page in process: {statistics.median(processor):.1f} ms of processor without the database's,"
        f" {statistics.median(wall):.1f} ms of wall with it (medians of {PAGES_ALONE})"
    )


def _plain(queries: Sequence[dict[str, str]]) -> list[str]:
    """Without the marks of a transaction's beginning and end."""
    return [q["sql"] for q in queries if not re.match(r"BEGIN|COMMIT|SAVEPOINT|RELEASE|ROLLBACK", q["sql"])]


def _in_words(queries: Sequence[str]) -> str:
    """SELECT people_user, … in their order; repeated ones counted."""
    words: Counter[str] = Counter()
    for sql in queries:
        verb = sql.split(None, 1)[0].upper()
        table = re.search(r'(?:FROM|INTO|UPDATE)\s+"?([a-z]+_[a-z]+)', sql)
        call = re.search(r"(set_config|current_setting|pg_advisory_xact_lock)", sql)
        words[f"{verb} {call[0] if call else table[1] if table else '?'}"] += 1
    return ", ".join(f"{word} ×{count}" if count > 1 else word for word, count in words.items())


def _lines_of(user: User) -> int:
    from zhili.common.scope import scoped
    from zhili.ledger.queries import statements

    with scoped(user.home_place):
        assert user.resident is not None
        pages = statements(user.home_place, user.resident.household_id, limit=5_000)
        return sum(len(page.entries) for page in pages.values())


# -- the server ---------------------------------------------------------------------------------------------


def _visitor(user: User) -> Visitor:
    from django.conf import settings
    from django.test import Client

    client = Client()
    client.force_login(user, BACKEND)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    return Visitor(cookie, str(1000 + int(user.username.rsplit("-", 1)[1])))


@contextmanager
def server() -> Iterator[int]:
    """`zhili serve` with its own two workers on a free port of this machine; stopped afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "zhili.config.command", "serve", "--bind", f"127.0.0.1:{port}"],
        env=dict(os.environ),
        cwd=support.ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/login/")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
        if process.poll() is not None:
            raise RuntimeError((process.stderr.read() if process.stderr else b"").decode()[-2000:])
    raise RuntimeError(f"the server did not answer in {START_SECONDS} s")


def measure_pages(port: int, visitors: Sequence[Visitor], size: Size) -> None:
    """Print median and p95: the first visits after the start, then one after another, then four at a time."""
    print(
        f"  zhili serve, 2 workers; GET /m/ by {len(visitors)} villagers of {min(size.villages, VILLAGERS)} villages"
    )
    # A connection each, so that both workers are met: a worker's first page imports the product, and its first of
    # each village parses the rule book.
    cold = [visitors[number % len(visitors)] for number in range(FIRST_VISITS)]
    _report("first visits after the start, a connection each", *_timed(lambda: _fetch_apart(port, cold)))
    plan = [visitors[number % len(visitors)] for number in range(REQUESTS)]
    _report("1 connection", *_timed(lambda: _fetch(port, plan)))

    def four() -> list[float | None]:
        with ThreadPoolExecutor(4) as pool:
            parts = pool.map(lambda start: _fetch(port, plan[start::4]), range(4))
            return [one for part in parts for one in part]

    _report("4 connections", *_timed(four))


def _timed(work: Callable[[], list[float | None]]) -> tuple[list[float | None], float]:
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started


def _fetch(port: int, visitors: Sequence[Visitor]) -> list[float | None]:
    """Seconds of each request over one kept connection; None for an error or another household's page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    found: list[float | None] = []
    for visitor in visitors:
        started = time.perf_counter()
        connection.request("GET", "/m/", headers={"Cookie": visitor.cookie})
        answer = connection.getresponse()
        body = answer.read()
        seconds = time.perf_counter() - started
        good = answer.status == 200 and f"{visitor.code} 户".encode() in body
        found.append(seconds if good else None)
    connection.close()
    return found


def _fetch_apart(port: int, visitors: Sequence[Visitor]) -> list[float | None]:
    return [one for visitor in visitors for one in _fetch(port, [visitor])]


def _report(title: str, found: Sequence[float | None], seconds: float) -> None:
    times = sorted(one * 1000 for one in found if one is not None)
    errors = len(found) - len(times)
    if len(times) < 2:
        raise AssertionError(f"{title}: {errors} errors of {len(found)}")
    print(
        f"    {title}: {len(found)} requests, median {statistics.median(times):.1f} ms,"
        f" p95 {statistics.quantiles(times, n=20)[-1]:.1f} ms, slowest {times[-1]:.1f} ms,"
        f" {len(found) / seconds:.0f}/s, {errors} errors",
        flush=True,
    )


# -- claims -------------------------------------------------------------------------------------------------


def measure_claims(size: Size) -> None:
    """Print the median of handing in one claim through the action, commit included, and what it says to the database."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from zhili.claims.actions import submit_claim
    from zhili.common.ids import uuid7
    from zhili.common.periods import today
    from zhili.common.scope import scoped

    def hand_in(user: User) -> None:
        assert user.resident is not None
        submit_claim(
            by=user, id=uuid7(), household=user.resident.household, item="HJ01", occurred_on=today(),
            channel="phone", witness=WITNESS,
        )  # fmt: skip

    people = villagers(size)
    forget_claims()
    times = []
    statements: list[list[str]] = []
    for number in range(CLAIMS):
        user = people[number % len(people)]
        user.__dict__.pop("memberships_today", None)
        started = time.perf_counter()
        with scoped(user.home_place, user_id=str(user.pk)):
            # What a request has read before it comes to the action.
            assert user.resident is not None and user.resident.household and user.memberships_today == []
            if number % 2:
                hand_in(user)
            else:
                with CaptureQueriesContext(connection) as captured:
                    hand_in(user)
                statements.append(_plain(captured.captured_queries))
        if number % 2:
            times.append((time.perf_counter() - started) * 1000)
    forget_claims()
    numbers = sorted({len(one) for one in statements})
    print(
        f"  claims.actions.submit_claim: median {statistics.median(times):.1f} ms,"
        f" p95 {statistics.quantiles(times, n=20)[-1]:.1f} ms ({len(times)} claims, one each, commit included);"
        f" {'/'.join(map(str, numbers))} statements\n      {_in_words(statements[-1])}"
    )


def forget_claims() -> None:
    """Take this benchmark's claims out again: the kept database stays as built, and nobody meets the day's limit."""
    from zhili.claims.models import Claim, Evidence
    from zhili.common.scope import scoped

    with scoped("*"):
        shown = Evidence.objects.filter(kind=Evidence.Kind.WITNESS, note=WITNESS)
        made = list(shown.values_list("claim_id", flat=True))
        shown.delete()
        Claim.objects.filter(pk__in=made).delete()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.phone_home")
    parser.add_argument("--small", action="store_true", help="600 households, 50,000 transfers only")
    parser.add_argument("--fresh", action="store_true", help="build the databases again")
    options = parser.parse_args()
    sys.exit(0 if main(small=options.small, fresh=options.fresh) else 1)
