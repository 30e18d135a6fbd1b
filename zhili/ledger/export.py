"""The book in open form: CSV files, their description, and the same book as beancount text.

A county auditor, or a villager's nephew who studies accounting, checks it with a program that is not ours
(L-16). No names: households are their ids.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import IO, Final
from uuid import UUID

from zhili.common.periods import local_date
from zhili.common.points import format_points
from zhili.ledger.entries import code_title
from zhili.ledger.errors import LedgerError
from zhili.ledger.models import Account, Assertion, Batch, PeriodClose, PeriodTotal, Transfer

CHUNK: Final = 5_000
VERIFIER_NAME: Final = "核对账本.py"
_FIELDS: Final = {
    "accounts": (Account, ["id", "place", "kind", "owner", "purse", "credits", "debits", "reserved",
                           "may_go_negative", "opened_on", "closed_on", "seal"], ["kind", "purse", "owner"]),
    "batches": (Batch, ["id", "place", "seq", "previous_head", "root", "head", "algorithm", "count", "total",
                        "posted_at", "period", "by_id", "note"], ["seq"]),
    "transfers": (Transfer, ["id", "place", "seq", "index", "debit", "credit", "amount", "short", "code", "phase",
                             "pending_of", "reverses", "occurred_on", "posted_at", "period", "late", "salt", "cause",
                             "commitment", "leaf"], ["seq", "index"]),
    "closes": (PeriodClose, ["place", "period", "starts", "ends", "seq"], ["seq"]),
    "assertions": (Assertion, ["place", "seq", "index", "account", "credits", "debits", "reserved"],
                   ["seq", "index"]),
    "totals": (PeriodTotal, ["account", "period", "place", "earned", "deducted", "spent", "expired", "adjusted"],
               ["account", "period"]),
}  # fmt: skip
_ROOTS: Final = {"pool": "Equity", "issued": "Equity", "holder": "Liabilities", "deducted": "Income",
                 "redeemed": "Income", "expired": "Income", "reversed": "Income", "moved": "Income"}  # fmt: skip


def export(place: str, out_dir: Path) -> dict[str, int]:
    """Write transfers.csv, batches.csv, accounts.csv, closes.csv, assertions.csv, totals.csv, SCHEMA.md,
    ledger.beancount and the stand-alone verifier.

    Returns rows per file. Raises LedgerError where the village has no book or a file is there already.
    """
    if not Batch.objects.filter(place=place).exists():
        raise LedgerError(f"{place} 还没有台账", hint="请核对村（社区）代码。")
    out_dir.mkdir(parents=True, exist_ok=True)
    if any(out_dir.iterdir()):
        raise LedgerError(f"文件夹 {out_dir} 不是空的", hint="请换一个新的文件夹，以免混淆两次导出。")
    counts = {}
    for name, (model, fields, order) in _FIELDS.items():
        rows = (
            model._default_manager.filter(place=place).order_by(*order).values_list(*fields).iterator(CHUNK)
        )
        with (out_dir / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            counts[name] = _write(file, fields, rows)
    (out_dir / VERIFIER_NAME).write_text(verifier(), encoding="utf-8")
    (out_dir / "SCHEMA.md").write_text(_schema(place), encoding="utf-8")
    with (out_dir / "ledger.beancount").open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in beancount_lines(place))
    return counts


def _write(file: IO[str], fields: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    writer, count = csv.writer(file, lineterminator="\n"), 0
    writer.writerow(fields)
    for row in rows:
        writer.writerow([_text(value) for value in row])
        count += 1
    return count


def _text(value: object) -> object:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, bool):
        return int(value)
    return value.isoformat() if hasattr(value, "isoformat") else value


def verifier() -> str:
    """The stand-alone verifier's text: one Python file that needs nothing of ours (T-10)."""
    return (Path(__file__).resolve().parent / "verify_ledger.py").read_text(encoding="utf-8")


def _schema(place: str) -> str:
    template = (Path(__file__).resolve().parent / "SCHEMA.md").read_text(encoding="utf-8")
    return template.replace("{place}", place)


# ---------------------------------------------------------------- beancount


def beancount_lines(place: str) -> Iterator[str]:
    """The book as beancount text: one transaction per line of the book, dated by 记账时间, amounts in points.

    Reservations move nothing and are left out. A balance assertion for every account stands at the day
    after the last batch, and one for every account of every closed period.
    """
    names = {a.id: _name(a) for a in Account.objects.filter(place=place)}
    accounts = list(Account.objects.filter(place=place).order_by("kind", "purse", "owner"))
    # Accounts are dated by the first batch, because a test clock may open one later than it posts.
    first = local_date(
        Batch.objects.filter(place=place).order_by("posted_at").values_list("posted_at", flat=True)[0]
    )
    yield f'option "title" "Zhili {place}"'
    yield from (f"{first} commodity {unit}" for unit in sorted({_unit(a.purse) for a in accounts}))
    yield from (f"{first} open {names[a.id]} {_unit(a.purse)}" for a in accounts)
    units = {a.id: _unit(a.purse) for a in accounts}
    moved = Transfer.objects.filter(place=place, phase__in=["posted", "settled"], amount__gt=0)
    last = first
    for t in moved.order_by("posted_at", "seq", "index").iterator(CHUNK):
        last = local_date(t.posted_at)
        yield f'{last} * "{code_title(t.code)}" "{t.id}"'
        yield f"  {names[t.credit]}  -{format_points(t.amount)} {units[t.credit]}"
        yield f"  {names[t.debit]}  {format_points(t.amount)} {units[t.debit]}"
    yield from _assertions(place, names, units)
    day = max(last, _last_day(place)).toordinal() + 1
    for a in accounts:
        yield f"{date.fromordinal(day)} balance {names[a.id]} {format_points(a.debits - a.credits)} ~ 0 {_unit(a.purse)}"


def _assertions(place: str, names: dict[UUID, str], units: dict[UUID, str]) -> Iterator[str]:
    """Exact to the hundredth (`~ 0`). A close happens within a day and beancount asserts at a day's beginning:
    only closes that ended their day."""
    posted = dict(Batch.objects.filter(place=place).values_list("seq", "posted_at"))
    for close in PeriodClose.objects.filter(place=place).order_by("seq"):
        day = local_date(posted[close.seq])
        after = min((seq for seq in posted if seq > close.seq), default=None)
        if after is not None and local_date(posted[after]) == day:
            continue
        following = date.fromordinal(day.toordinal() + 1)
        for a in Assertion.objects.filter(place=place, seq=close.seq).order_by("index"):
            points = format_points(a.debits - a.credits)
            yield f"{following} balance {names[a.account]} {points} ~ 0 {units[a.account]}"


def _last_day(place: str) -> date:
    return local_date(
        Batch.objects.filter(place=place).order_by("-posted_at").values_list("posted_at", flat=True)[0]
    )


def _name(account: Account) -> str:
    owner = f":H{account.owner.hex}" if account.owner else ""
    return f"{_ROOTS[account.kind]}:{account.kind.capitalize()}:{_unit(account.purse).capitalize()}{owner}"


def _unit(purse: str) -> str:
    """A purse as a beancount currency: points of different purses never mix."""
    return "P" + "".join(letter for letter in purse.upper() if letter.isalnum())[:20] + "X"
