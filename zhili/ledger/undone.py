"""What was taken back later of the lines of some periods, whenever the reversal was posted.

A reversal stands in the period that was open when it was made (L-08), so the totals of a closed half-year go on saying
what they said. Whoever honours a half-year needs both: what the books said, and what has been taken back since.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.db import connection

# A reversal may itself be reversed, any number of times: the sign turns at each step, the amount is the first line's.
_UNDONE: Final = """
WITH RECURSIVE undone AS (
  SELECT r.id, o.code, CASE WHEN o.code = 'deduct' THEN o.debit ELSE o.credit END AS account, -o.amount AS amount
    FROM ledger_transfer r JOIN ledger_transfer o ON o.id = r.reverses
   WHERE r.place = %(place)s AND r.reverses IS NOT NULL AND o.place = %(place)s AND o.period = ANY(%(periods)s)
     AND o.code IN ('award', 'opening', 'deduct')
  UNION ALL
  SELECT r.id, u.code, u.account, -u.amount FROM undone u JOIN ledger_transfer r ON r.reverses = u.id
)
SELECT a.owner, a.purse, u.code = 'deduct', sum(u.amount)::bigint
  FROM undone u JOIN ledger_account a ON a.id = u.account AND a.kind = 'holder' GROUP BY 1, 2, 3
"""


def undone(place: str, periods: Sequence[str]) -> dict[tuple[UUID, str, bool], int]:
    """(owner, purse, whether of deductions) → change, signed hundredths, to what these periods earned or deducted.

    Only owners with a change. One statement.
    """
    with connection.cursor() as cursor:
        cursor.execute(_UNDONE, {"place": place, "periods": list(periods)})
        return {(owner, purse, bool(loss)): amount for owner, purse, loss, amount in cursor.fetchall()}
