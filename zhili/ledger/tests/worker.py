"""What one process of test_processes does."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connection, connections, transaction

from zhili.common.errors import ZhiliError
from zhili.common.scope import set_scope
from zhili.ledger import actions, entries
from zhili.ledger.actions import NewTransfer
from zhili.ledger.models import Account, Transfer
from zhili.ledger.tests.stories import DAY, PERIOD, PLACE

_inherited: list[object] = []


def forget_inherited() -> None:
    """A forked process owns none of its parent's connections: it neither uses nor closes them.

    Beside Playwright's running loop Django keeps the parent's connection apart from the one a fork sees
    (asgiref's thread-critical storage), so closing it in the parent is not enough.
    """
    for one in connections.all(initialized_only=True):
        _inherited.append(one.connection)
        one.connection = None


def work(number: int, task: dict[str, Any], start: Any, answers: Any) -> None:
    """Wait for the others, act `times` times, put (number, answers) on the queue: [seq, replayed] or the refusal."""
    found: list[object] = []
    forget_inherited()
    connection.ensure_connection()
    start.wait(60)
    for turn in range(task.get("times", 1)):
        try:
            with transaction.atomic():
                set_scope([PLACE])
                posted = actions.post(NEWS[task["do"]](task, turn), place=PLACE, by=None, period=PERIOD)
            found.append([posted.seq, posted.replayed])
        except ZhiliError as error:
            found.append(getattr(error, "word", "") or error.message)
        except Exception as error:  # a crash is an answer too: the test must see it
            found.append(repr(error))
    connection.close()
    answers.put((number, found))


def _award(task: dict[str, Any], turn: int) -> list[NewTransfer]:
    return entries.award(UUID(task["key"]), UUID(task["owner"]), 200, ["merit", "spend"], DAY, task["cause"])


def _reverse(task: dict[str, Any], turn: int) -> list[NewTransfer]:
    keys = {a.id: actions.AccountKey(a.kind, a.owner, a.purse) for a in Account.objects.all()}
    original = Transfer.objects.get(id=task["key"])
    return [entries.reversal(original, keys, by=task["me"], approved_by=2, reason="错")]


def _move(task: dict[str, Any], turn: int) -> list[NewTransfer]:
    one, two = (UUID(owner) for owner in task["owners"][:: task["way"]])
    key, cause = entries.derived(UUID(task["key"]), str(turn)), {"basis": "互换", "actor": 1}
    there = entries.handover(entries.derived(key, "a"), one, two, 1, "spend", DAY, cause)
    return [there, entries.handover(entries.derived(key, "b"), two, one, 1, "merit", DAY, cause)]


NEWS = {"award": _award, "reverse": _reverse, "move": _move}
