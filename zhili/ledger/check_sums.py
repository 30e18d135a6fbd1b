"""The sums a whole book must satisfy, worked out by the database from the lines, one village at a time.

Each check is one statement that returns the rows that fail: (id, column, seq of the batch or NULL).
%(place)s is the village.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of the book. what: the sentence for the auditor."""

    table: str
    what: str
    sql: str


SUMS: Final = (
    Check(
        "ledger_batch",
        "笔数或金额合计与流水对不上",
        """
        SELECT b.place || '/' || b.seq, CASE WHEN b.count <> coalesce(t.n, 0) THEN 'count' ELSE 'total' END,
        b.seq
          FROM ledger_batch b LEFT JOIN (SELECT seq, count(*) AS n, sum(amount) AS total FROM ledger_transfer
            WHERE place = %(place)s GROUP BY seq) t USING (seq)
         WHERE b.place = %(place)s AND (b.count, b.total) <> (coalesce(t.n, 0), coalesce(t.total, 0)) ORDER
         BY b.seq""",
    ),
    # Balances, totals and closed balances from one reading of the lines; these rows bring their own table and
    # sentence. A line does one thing to its giver and one to its taker; `n` says after how many closes it came.
    Check(
        "ledger_account",
        "余额与流水合计对不上",
        """
        WITH closes AS (
          SELECT coalesce(array_agg(seq ORDER BY seq), '{0}') AS at FROM ledger_periodclose WHERE place = %(place)s
        ), l AS MATERIALIZED (
          SELECT debit, credit, period, code, phase, width_bucket(seq, (SELECT at FROM closes)) AS n, sum(amount) AS sum
            FROM ledger_transfer WHERE place = %(place)s GROUP BY 1, 2, 3, 4, 5, 6
        ), sides AS (
          SELECT credit AS account, n, period, code, sum AS plus, 0 AS minus, 0 AS reserve
            FROM l WHERE phase IN ('posted', 'settled')
          UNION ALL
          SELECT debit, n, period, code, 0, CASE WHEN phase IN ('posted', 'settled') THEN sum ELSE 0 END,
                 CASE phase WHEN 'pending' THEN sum WHEN 'posted' THEN 0 ELSE -sum END FROM l
        ), g AS MATERIALIZED (
          SELECT account, n, period, code, sum(plus) AS plus, sum(minus) AS minus, sum(reserve) AS reserve
            FROM sides GROUP BY account, n, period, code
        ), s AS (SELECT account, sum(plus) AS plus, sum(minus) AS minus, sum(reserve) AS reserve FROM g GROUP BY account
        ), t AS (
          SELECT account, period, sum(plus) AS plus, sum(minus) AS minus,
                 coalesce(sum(plus) FILTER (WHERE code IN ('award', 'opening')), 0) AS earned,
                 coalesce(sum(minus) FILTER (WHERE code = 'deduct'), 0) AS deducted,
                 coalesce(sum(minus) FILTER (WHERE code = 'redeem'), 0) AS spent,
                 coalesce(sum(minus) FILTER (WHERE code = 'expire'), 0) AS expired
            FROM g JOIN ledger_account a ON a.id = g.account AND a.kind = 'holder'
           WHERE plus <> 0 OR minus <> 0 GROUP BY account, period
        ), asserted AS (
          SELECT account, seq, credits, debits, reserved, width_bucket(seq, (SELECT at FROM closes)) AS n
            FROM ledger_assertion WHERE place = %(place)s
        ), then_ AS (
          SELECT a.account, a.seq, a.credits, a.debits, a.reserved, coalesce(sum(g.plus), 0) AS plus,
                 coalesce(sum(g.minus), 0) AS minus, coalesce(sum(g.reserve), 0) AS reserve
            FROM asserted a LEFT JOIN g ON g.account = a.account AND g.n < a.n
           GROUP BY a.account, a.seq, a.credits, a.debits, a.reserved)
        SELECT coalesce(a.id, s.account)::text, CASE WHEN a.id IS NULL THEN 'id'
                 WHEN a.credits <> coalesce(plus, 0) THEN 'credits' WHEN a.debits <> coalesce(minus, 0) THEN 'debits'
                 ELSE 'reserved' END, NULL::bigint, 'ledger_account', '余额与流水合计对不上'
          FROM (SELECT * FROM ledger_account WHERE place = %(place)s) a FULL JOIN s ON s.account = a.id
         WHERE a.id IS NULL OR (a.credits, a.debits, a.reserved)
               <> (coalesce(plus, 0), coalesce(minus, 0), coalesce(reserve, 0))
        UNION ALL
        SELECT account || '/' || seq, CASE WHEN credits <> plus THEN 'credits' WHEN debits <> minus THEN 'debits'
                 ELSE 'reserved' END, seq, 'ledger_assertion', '结账时的余额与当时的流水合计对不上'
          FROM then_ WHERE (credits, debits, reserved) <> (plus, minus, reserve)
        UNION ALL
        SELECT coalesce(p.account, t.account) || '/' || coalesce(p.period, t.period),
               CASE WHEN p.account IS NULL OR t.account IS NULL THEN 'account' WHEN p.earned <> t.earned THEN 'earned'
                 WHEN p.deducted <> t.deducted THEN 'deducted' WHEN p.spent <> t.spent THEN 'spent'
                 WHEN p.expired <> t.expired THEN 'expired' WHEN p.place <> %(place)s THEN 'place'
                 ELSE 'adjusted' END, NULL, 'ledger_periodtotal', '周期合计与流水对不上'
          FROM (SELECT p.* FROM ledger_periodtotal p JOIN ledger_account a ON a.id = p.account AND a.place = %(place)s
                UNION SELECT * FROM ledger_periodtotal WHERE place = %(place)s) p
          FULL JOIN t ON t.account = p.account AND t.period = p.period
         WHERE p.account IS NULL OR t.account IS NULL OR p.place <> %(place)s
            OR (p.earned, p.deducted, p.spent, p.expired, p.adjusted) <> (t.earned, t.deducted, t.spent, t.expired,
                t.plus - t.minus - t.earned + t.deducted + t.spent + t.expired) ORDER BY 4, 3, 1""",
    ),
    Check(
        "ledger_account",
        "存折低于零，或已销户而不为零",
        """
        SELECT id, 'debits', NULL FROM ledger_account WHERE place = %(place)s AND (
          kind = 'holder' AND NOT may_go_negative AND credits - debits - reserved < 0
          OR kind = 'holder' AND purse = 'spend' AND may_go_negative
          OR closed_on IS NOT NULL AND (credits <> debits OR reserved <> 0)) ORDER BY id""",
    ),
    Check(
        "ledger_transfer",
        "冲正或了结所指的流水不存在，或对不上",
        """
        SELECT t.id, CASE WHEN t.reverses IS NULL THEN 'pending_of' ELSE 'reverses' END, t.seq FROM
        ledger_transfer t
          LEFT JOIN ledger_transfer o ON o.id = coalesce(t.reverses, t.pending_of) AND o.place = t.place
         WHERE t.place = %(place)s AND (t.reverses IS NOT NULL OR t.pending_of IS NOT NULL) AND (
           o.id IS NULL OR o.seq >= t.seq
           OR t.reverses IS NOT NULL AND (o.phase NOT IN ('posted', 'settled') OR o.amount <> t.amount +
           t.short
                                          OR o.credit <> t.debit)
           OR t.pending_of IS NOT NULL AND (o.phase <> 'pending' OR o.amount <> t.amount OR o.debit <> t.debit
                                            OR o.credit <> t.credit)) ORDER BY t.seq, t.index""",
    ),
    Check(
        "ledger_transfer",
        "结账之后又记入了已结账的周期",
        """
        SELECT t.id, 'period', t.seq FROM ledger_periodclose c JOIN ledger_transfer t
            ON t.place = c.place AND t.period = c.period AND t.seq > c.seq
         WHERE c.place = %(place)s ORDER BY t.seq, t.index""",
    ),
    Check(
        "ledger_periodclose",
        "结账没有对应的批次，或周期对不上",
        """
        SELECT c.place || '/' || c.period, 'seq', c.seq FROM ledger_periodclose c
          LEFT JOIN ledger_batch b ON b.place = c.place AND b.seq = c.seq AND b.period = c.period AND
          b.count = 0
         WHERE c.place = %(place)s AND b.id IS NULL
        UNION ALL
        SELECT b.place || '/' || b.seq, 'period', b.seq FROM ledger_batch b
          LEFT JOIN ledger_periodclose c ON c.place = b.place AND c.seq = b.seq
         WHERE b.place = %(place)s AND b.count = 0 AND c.place IS NULL""",
    ),
    Check(
        "ledger_assertion",
        "结账余额没有对应的结账",
        """
        SELECT a.place || '/' || a.seq || '/' || a.index, 'seq', a.seq FROM ledger_assertion a
          LEFT JOIN ledger_periodclose c ON c.place = a.place AND c.seq = a.seq
         WHERE a.place = %(place)s AND c.place IS NULL ORDER BY a.seq, a.index LIMIT 20""",
    ),
)
