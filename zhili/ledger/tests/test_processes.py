"""Several real processes at one book (C-03, C-07, L-04)."""

from __future__ import annotations

import multiprocessing
from uuid import uuid4

import pytest

from zhili.common.scope import scoped
from zhili.ledger import queries
from zhili.ledger.models import Batch, Transfer
from zhili.ledger.tests.stories import PLACE, cause, give
from zhili.ledger.tests.worker import work
from zhili.ledger.verify import verify

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("ledger_processes")]


@pytest.fixture
def shared(django_db_setup: None, own_database: str, django_db_blocker):
    """This process joins the workers' database as the application's role."""
    from django.db import connection

    with django_db_blocker.unblock():
        connection.close()
        before = connection.settings_dict["NAME"]
        connection.settings_dict["NAME"] = own_database
        yield own_database
        connection.close()
        connection.settings_dict["NAME"] = before


def run(tasks: list[dict]) -> list[list]:
    """Fork one process per task, let them go at the same moment, return their answers."""
    from django.db import connection

    connection.close()  # each child makes its own
    context = multiprocessing.get_context("fork")
    start, answers = context.Barrier(len(tasks)), context.Queue()
    children = [context.Process(target=work, args=(n, task, start, answers)) for n, task in enumerate(tasks)]
    for child in children:
        child.start()
    found = dict(answers.get(timeout=120) for _ in tasks)
    for child in children:
        child.join(30)
        assert child.exitcode == 0
    return [found[n] for n in range(len(tasks))]


def test_ten_replays_at_once(shared: str) -> None:
    """C-03: ten processes send the same deed; one posting, ten times the same answer."""
    task = {"do": "award", "key": str(uuid4()), "owner": str(uuid4()), "cause": cause()}
    answers = [answer for found in run([task] * 10) for answer in found]
    assert sorted(answers) == [[1, False]] + [[1, True]] * 9
    with scoped(PLACE):
        assert Transfer.objects.count() == 2 and Batch.objects.count() == 1
    assert verify().ok


def test_twenty_reversals_at_once(shared: str) -> None:
    """L-04: twenty people reverse the same line; one does, nineteen are told."""
    home = uuid4()
    with scoped(PLACE):
        give(home, 200, purses=["spend"])
        (line,) = queries.statement(PLACE, home, purse="spend").entries
    tasks = [{"do": "reverse", "key": str(line.transfer_id), "me": 100 + n} for n in range(20)]
    answers = [found[0] for found in run(tasks)]
    assert sum(isinstance(answer, list) for answer in answers) == 1
    # Same key, another body (another person): told that the key is used.
    assert {answer for answer in answers if not isinstance(answer, list)} <= {
        "key_used",
        "transfer_reversed_once",
        "busy",
    }
    with scoped(PLACE):
        assert queries.balances(PLACE, [home])[home, "spend"].balance == 0
        assert Transfer.objects.filter(code="reverse").count() == 1
    assert verify().ok


def test_opposed_posts_never_deadlock(shared: str) -> None:
    """C-07: six processes move points between the same two households in both directions; no deadlock, none lost."""
    one, two = uuid4(), uuid4()
    with scoped(PLACE):
        for home in (one, two):
            give(home, 10_000)
    tasks = [
        {
            "do": "move",
            "key": str(uuid4()),
            "owners": [str(one), str(two)],
            "way": 1 if n % 2 else -1,
            "times": 25,
        }
        for n in range(6)
    ]
    answers = [answer for found in run(tasks) for answer in found]
    assert len(answers) == 150
    assert {answer for answer in answers if not isinstance(answer, list)} <= {"busy"}
    done = sorted(answer[0] for answer in answers if isinstance(answer, list))
    assert done == list(range(3, 3 + len(done)))
    with scoped(PLACE):
        found = queries.balances(PLACE, [one, two])
        assert found[one, "spend"].balance + found[two, "spend"].balance == 20_000
    assert verify().ok
