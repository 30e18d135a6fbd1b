"""What must hold after every step, asked of the database itself and of the model (invariants 1–7 of DESIGN §8)."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from django.db import connection

from tests.simulator.deeds import Disagree, agree
from tests.simulator.model import Village, World
from zhili.common.leaks import scan_public
from zhili.common.scope import scoped

Prints = dict[tuple[str, str], tuple[int, str]]
"""(table, place) → (rows, sum of their hashes)."""

# The same for the whole run, or nobody's deed: not looked at.
STILL = re.compile(r"^(django_(?!tasks)|auth_|places_(?!villagesettings)|common_holiday)")
# What may be written although a deed was refused: the trace of it, and counters against flooding.
TRACES = re.compile(r"^(audit_|common_(limit|bucket|outbox)|django_|web_limit)")

INVARIANTS: dict[str, str] = {
    "L-01 every batch moves as much out of accounts as into them": """
        SELECT place FROM ledger_account GROUP BY place, purse HAVING sum(credits) <> sum(debits)""",
    "L-05 a balance is the sum of its transfers": """
        SELECT a.id FROM ledger_account a
          LEFT JOIN (SELECT credit AS id, sum(amount) AS got FROM ledger_transfer
                      WHERE phase IN ('posted', 'settled') GROUP BY 1) c USING (id)
          LEFT JOIN (SELECT debit AS id, sum(amount) AS gave FROM ledger_transfer
                      WHERE phase IN ('posted', 'settled') GROUP BY 1) d USING (id)
         WHERE a.credits <> coalesce(c.got, 0) OR a.debits <> coalesce(d.gave, 0)""",
    "L-06 spend is never below zero": """
        SELECT id FROM ledger_account
         WHERE purse = 'spend' AND kind = 'holder' AND credits - debits - reserved < 0""",
    "3 an award comes from a posted claim of a closed notice": """
        SELECT t.id FROM ledger_transfer t
          LEFT JOIN claims_claim c ON c.id = (t.cause::jsonb ->> 'claim')::uuid
          LEFT JOIN notices_line l ON l.claim_id = c.id
          LEFT JOIN notices_notice n ON n.id = l.notice_id
         WHERE t.code IN ('award', 'deduct')
           AND (c.status IS DISTINCT FROM 'posted' OR l.status IS DISTINCT FROM 'posted'
                OR n.status IS DISTINCT FROM 'closed' OR t.place <> c.place
                OR (t.cause::jsonb ->> 'rule_version') IS NULL)""",
    "4 a claim posts once to each purse": """
        SELECT cause::jsonb ->> 'claim' FROM ledger_transfer WHERE code IN ('award', 'deduct')
         GROUP BY cause::jsonb ->> 'claim', left(credit::text || debit::text, 0), code HAVING count(*) > 2""",
    "4 a posted line with points is in the book": """
        SELECT l.id FROM notices_line l WHERE l.status = 'posted' AND l.points <> 0 AND NOT EXISTS
          (SELECT FROM ledger_transfer t WHERE (t.cause::jsonb ->> 'claim')::uuid = l.claim_id)""",
    "5 nobody decides on what they handed in, or twice on one claim": """
        SELECT r.id FROM claims_review r JOIN claims_claim c ON c.id = r.claim_id WHERE r.by_id = c.submitted_by_id
        UNION ALL
        SELECT min(id::text)::uuid FROM claims_review GROUP BY claim_id, by_id HAVING count(DISTINCT level) > 1""",
    "5 nobody decides on the own household or on declared relatives": """
        SELECT r.id FROM claims_review r JOIN claims_claim c ON c.id = r.claim_id
          JOIN people_user u ON u.id = r.by_id LEFT JOIN people_resident p ON p.id = u.resident_id
         WHERE p.household_id = c.household_id OR EXISTS (SELECT FROM claims_recusal x WHERE x.user_id = r.by_id
           AND x.household_id = c.household_id AND x.declared_on < (r.at AT TIME ZONE 'Asia/Shanghai')::date)""",
    "6 a line under objection is not posted": """
        SELECT l.id FROM notices_line l JOIN notices_objection o ON o.line_id = l.id
         WHERE l.status = 'posted' AND o.status IN ('received', 'acknowledged')""",
    "a claim's state and its line's are one": """
        SELECT l.id FROM notices_line l JOIN claims_claim c ON c.id = l.claim_id
         WHERE (l.status, c.status) NOT IN
               (('shown', 'on_notice'), ('held', 'held'), ('posted', 'posted'), ('dropped', 'dropped'))""",
    "C-18 stock is its moves and never below zero": """
        SELECT g.id FROM shop_good g LEFT JOIN shop_stockmove m ON m.good_id = g.id GROUP BY g.id
        HAVING g.stock <> coalesce(sum(m.quantity), 0) OR g.stock < 0 OR g.reserved < 0 OR g.reserved > g.stock""",
    "C-06 what is set aside waits for somebody": """
        SELECT g.id FROM shop_good g LEFT JOIN (SELECT l.good_id, sum(l.quantity) AS n FROM shop_orderline l
          JOIN shop_order o ON o.id = l.order_id WHERE o.status = 'reserved' GROUP BY 1) w ON w.good_id = g.id
         WHERE g.reserved <> coalesce(w.n, 0)""",
    "L-17 a money account is its entries": """
        SELECT a.id FROM shop_fundaccount a LEFT JOIN shop_fundentry e ON e.place = a.place
           AND a.kind IN (e.credit, e.debit) AND (a.fund_id IS NULL OR e.fund_id = a.fund_id)
         GROUP BY a.id HAVING a.credits <> coalesce(sum(e.fen) FILTER (WHERE e.credit = a.kind), 0)
            OR a.debits <> coalesce(sum(e.fen) FILTER (WHERE e.debit = a.kind), 0)""",
    "points redeemed are the orders handed over": """
        SELECT coalesce(a.place, o.place) FROM
          (SELECT place, sum(credits - debits) AS n FROM ledger_account WHERE kind = 'redeemed' GROUP BY 1) a
          FULL JOIN (SELECT place, sum(points) AS n FROM shop_order WHERE status = 'handed_over' GROUP BY 1) o
            ON o.place = a.place WHERE coalesce(a.n, 0) <> coalesce(o.n, 0)""",
    "an order is its lines": """
        SELECT o.id FROM shop_order o LEFT JOIN shop_orderline l ON l.order_id = o.id GROUP BY o.id
        HAVING o.points <> coalesce(sum(l.quantity * l.points), 0)""",
    "every photo's row has its file name and hash": """
        SELECT id FROM claims_evidence WHERE kind = 'photo' AND (file_name = '' OR sha256 = '')""",
}


class Checker:
    """Looks at one database; remembers what it saw last."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tables = self._tables()
        self.last = self.prints()
        self.heads: dict[str, tuple[int, str]] = {}
        self.audits = self._audits()
        self.counts = {"checked": 0, "verified": 0}

    def _tables(self) -> list[tuple[str, bool]]:
        with connection.cursor() as cursor:
            cursor.execute(
                """SELECT t.table_name, bool_or(c.column_name = 'place') FROM information_schema.tables t
                   JOIN information_schema.columns c USING (table_schema, table_name)
                   WHERE table_schema = 'public' AND table_type = 'BASE TABLE' GROUP BY 1 ORDER BY 1"""
            )
            return [(name, place) for name, place in cursor.fetchall() if not STILL.match(name)]

    def prints(self) -> Prints:
        """A fingerprint of every table, village by village. One statement."""
        nowhere = "''"
        parts = [
            f"SELECT '{name}', {'place' if place else nowhere}, count(*), sum(hashtextextended(t::text, 0))::text "
            f'FROM "{name}" t GROUP BY 2'
            for name, place in self.tables
        ]
        with scoped("*"), connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(parts))
            return {(name, place): (count, total) for name, place, count, total in cursor.fetchall()}

    def _audits(self) -> tuple[int, str, Any]:
        with scoped("*"), connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text, max(at) FROM audit_entry t"
            )
            return cursor.fetchone()

    def after(self, places: list[str], refused: bool, say: str) -> None:
        """Everything, after one step that had business in `places`."""
        now = self.prints()
        changed = {key for key in now.keys() | self.last.keys() if now.get(key) != self.last.get(key)}
        strange = sorted(f"{table}/{place}" for table, place in changed if place and place not in places)
        strange = [one for one in strange if not TRACES.match(one)]
        if strange:
            raise Disagree(f"{say} touched rows of another village: {strange}")
        kept = sorted(f"{table}/{place}" for table, place in changed if not TRACES.match(table))
        if refused and kept:
            raise Disagree(f"{say} was refused and yet changed {kept}")
        self._append_only(now)
        self.last = now
        self.counts["checked"] += 1
        touched = {place for table, place in changed if place}
        if any(table.startswith("ledger_") for table, _ in changed):
            self.verify(sorted(touched))
        if not refused:
            self.invariants()
            for village in self.world.villages:
                if village.place in touched:
                    self.against_model(village)

    def _append_only(self, now: Prints) -> None:
        """Invariant 2: what was written to the audit stays as it was; the books are watched by verify and the heads."""
        count, total, last = self.audits
        with scoped("*"), connection.cursor() as cursor:
            if last is not None:
                cursor.execute(
                    "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text"
                    " FROM audit_entry t WHERE at <= %s",
                    [last],
                )
                then, same = cursor.fetchone()
                if then < count or (then == count and same != total):
                    raise Disagree("a row of the audit was changed or is gone")
        self.audits = self._audits()

    def verify(self, places: list[str]) -> None:
        """T-02: every chain, balance and total recomputed; the heads seen before still stand."""
        from zhili.ledger.queries import heads
        from zhili.ledger.verify import verify

        mine = [place for place in places if len(place) == 12]
        report = verify(mine)
        if not report.ok:
            raise Disagree(f"verify: {report.problems[:3]}")
        for place in mine:
            with scoped(place):
                found = {head.seq: head.head for head in heads(place, 100_000)}
            seq, head = self.heads.get(place, (0, ""))
            if seq and found.get(seq) != head:
                raise Disagree(f"the head of batch {seq} of {place} is not the one seen before")
            if found:
                newest = max(found)
                self.heads[place] = (newest, found[newest])
        self.counts["verified"] += 1

    def invariants(self) -> None:
        with scoped("*"), connection.cursor() as cursor:
            parts = [
                f"(SELECT {n} AS n, x::text FROM ({sql}) AS q(x) LIMIT 1)"
                for n, sql in enumerate(INVARIANTS.values())
            ]
            cursor.execute(" UNION ALL ".join(parts))
            bad = cursor.fetchall()
        if bad:
            names = list(INVARIANTS)
            raise Disagree("; ".join(f"invariant “{names[n]}”: {row}" for n, row in bad))

    def against_model(self, village: Village) -> None:
        """Balances, claims, notices and objections of a village, against plain Python."""
        with scoped(village.place), connection.cursor() as cursor:
            cursor.execute(
                """SELECT h.code, a.purse, a.credits - a.debits, a.reserved FROM people_household h
                   JOIN ledger_account a ON a.owner = h.id AND a.kind = 'holder' WHERE h.place = %s""",
                [village.place],
            )
            found = {
                (code, purse): (balance, reserved) for code, purse, balance, reserved in cursor.fetchall()
            }
            cursor.execute("SELECT id::text, status FROM claims_claim WHERE place = %s", [village.place])
            claims = dict(cursor.fetchall())
            cursor.execute(
                "SELECT code, status IN ('living', 'away') FROM people_household WHERE place = %s",
                [village.place],
            )
            houses = dict(cursor.fetchall())
            cursor.execute(
                "SELECT id::text, status IN ('received', 'acknowledged') FROM notices_objection WHERE place = %s",
                [village.place],
            )
            objections = dict(cursor.fetchall())
        thought = {(house.code, "spend"): (house.spend, house.reserved) for house in village.houses.values()}
        thought |= {(house.code, "merit"): (house.merit, 0) for house in village.houses.values()}
        for key, value in thought.items():
            agree(found.get(key, (0, 0)), value, f"balance of {key} in {village.place}")
        agree(set(found) - set(thought), set(), "households the model does not know")
        agree(houses, {house.code: house.open for house in village.houses.values()}, "households")
        if village.shop is not None:
            self.against_shop(village)
        agree(claims, {claim.id: claim.status for claim in village.claims.values()}, "claims")
        agree(objections, {one.id: one.open for one in village.objections.values()}, "objections")

    def against_shop(self, village: Village) -> None:
        """Shelf, orders and money of a village's shop."""
        with scoped(village.place), connection.cursor() as cursor:
            cursor.execute("SELECT code, stock, reserved FROM shop_good WHERE place = %s", [village.place])
            shelf = {code: (stock, reserved) for code, stock, reserved in cursor.fetchall()}
            cursor.execute(
                "SELECT id::text, status, points FROM shop_order WHERE place = %s", [village.place]
            )
            orders = {id: (status, points) for id, status, points in cursor.fetchall()}
            cursor.execute(
                "SELECT sum(credits - debits) FROM shop_fundaccount WHERE place = %s AND kind = 'cash'",
                [village.place],
            )
            (cash,) = cursor.fetchone()
        shop = village.shop
        agree(
            shelf,
            {code: (one.stock, one.reserved) for code, one in shop.goods.items()},
            f"shelf of {village.place}",
        )
        agree(
            orders,
            {key: (one.status, one.points) for key, one in shop.orders.items()},
            f"orders of {village.place}",
        )
        agree(cash, shop.cash, f"money of {village.place}")


def foreign(world: World, place: str | None, text: str) -> list[str]:
    """Signs and codes of other villages in something a member (or a visitor) of one village was shown."""
    found = []
    for village in world.villages:
        if village.place != place:
            found += [word for word in (village.sign, f"{village.place}/") if word in text]
    return found


def leaks(text: str) -> list[str]:
    """Digits of an ID card or a phone in a public text (invariant 8); every number that was planted, in any case."""
    plain = re.sub(r"<[^>]+>", " ", text)
    found = [leak.shown for leak in scan_public(plain, allowed=["0818-0000000"]) if leak.blocks]
    return found + re.findall(r"51302119\d{6}|138\d{8}", text)


def digest(database_tables: list[tuple[str, bool]], *, without: str = "") -> dict[str, str]:
    """SHA-256 of every table's rows in order: two runs that end alike are alike in every byte."""
    found = {}
    with scoped("*"), connection.cursor() as cursor:
        for name, _ in database_tables:
            if without and re.match(without, name):
                continue
            cursor.execute(f'SELECT t::text FROM "{name}" t ORDER BY 1')
            rows = "\n".join(row[0] for row in cursor.fetchall())
            found[name] = hashlib.sha256(rows.encode()).hexdigest()[:16]
    return found
