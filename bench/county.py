"""A county's worth of households and points, made by SQL as the database's owner: the load under the page's measurement.

Everything a page reads is there in the shape the product writes it: accounts with their real ids and seals,
lines, batches, period totals, a rule book per village in force, an open notice with lines, claims that wait.
The bulk is SYNTHETIC AND UNVERIFIED: lines were not posted by ledger_post, their leaves and their batches' heads
are filler of the right length, so `zhili ledger verify` must fail on the chain here. Balances, batch counts and
period totals do follow from the lines; `check_sums` proves it with the ledger's own statements.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import psycopg

SHAPE: Final = 1
"""Raise when the SQL below changes what is built: databases of an older shape are built again."""
MONTHS: Final = 24
VILLAGES_AT_ONCE: Final = 10


@dataclass(frozen=True, slots=True)
class Size:
    """households: per village. events: per village, two lines each (one per purse)."""

    villages: int
    households: int = 300
    events: int = 12_500

    @property
    def all_households(self) -> int:
        return self.villages * self.households

    @property
    def transfers(self) -> int:
        return self.villages * self.events * 2

    @property
    def stamp(self) -> str:
        return f"zhili bench county/{SHAPE} {self.all_households} households {self.transfers} transfers"


SMALL: Final = Size(villages=2)
FULL: Final = Size(villages=200)

_VILLAGES = """
CREATE TEMP TABLE village AS
  SELECT row_number() OVER (ORDER BY code)::int AS number, code AS place FROM places_place
   WHERE kind IN ('village', 'community') ORDER BY code LIMIT %(villages)s;
INSERT INTO places_villagesettings (place, notice_days, acknowledge_days, answer_days, late_days, office_phone,
                                    office_address, supervisor_phone, demo)
  SELECT place, 5, 3, 15, 90, '0818-0000000', '', '', true FROM village
"""
# Households are numbered 1..n in their village; ids follow from village and number, so that no step needs a look-up.
_PEOPLE = (
    """
    CREATE TEMP TABLE house AS
      SELECT v.number AS village, v.place, n, md5('household ' || v.place || n)::uuid AS id,
             md5('head ' || v.place || n)::uuid AS head,
             -- From none to about 165 events: the sum is exact, the busiest has 13 times the middle one's.
             (round(%(events)s * (n / %(households)s::numeric) ^ 4)
              - round(%(events)s * ((n - 1) / %(households)s::numeric) ^ 4))::int AS events
        FROM village v, generate_series(1, %(households)s) AS n""",
    """
    INSERT INTO people_household (id, place, code, "group", address, status, card_token, card_version, published,
                                  opened_on)
      SELECT id, place, 1000 + n, 1 + n / 40 || '组', '', 'living', md5('card ' || id), 1, true, '2020-01-01'
        FROM house""",
    """
    INSERT INTO people_resident (id, place, household_id, name, pinyin, birth_date, relation, status, phone_secret,
                                 id_number_secret, tags)
      SELECT CASE k WHEN 1 THEN head ELSE md5('resident ' || place || n || '/' || k)::uuid END, place, id,
             '测速' || 1000 + n || substr('甲乙丙', k, 1), 'cs' || substr('jyb', k, 1), date '1950-01-01' + n * 40,
             (ARRAY['head', 'spouse', 'son'])[k], 'present', '', '', '[]'
        FROM house, generate_series(1, 3) AS k""",
    """
    INSERT INTO people_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
                             date_joined, home_place, display_name, elder_mode, resident_id)
      SELECT '!bench', false, 'bench-' || village || '-' || n, '', '', '', false, true, now(), place,
             '测速' || 1000 + n, false, head FROM house ORDER BY village, n""",
    """
    INSERT INTO people_membership (user_id, role, place, "group", valid_from)
      SELECT u.id, (ARRAY['clerk', 'reviewer', 'reviewer'])[h.n], h.place, '', '2020-01-01'
        FROM house h JOIN people_user u ON u.resident_id = h.head WHERE h.n <= 3""",
)
_BOOKS = """
UPDATE rulebook_rulebook SET status = 'in_force', valid_from = %(first)s, valid_to = NULL
"""
# One household in two has a line on the open notice, one in three a claim that waits for review.
_NOTICES = (
    """
    CREATE TEMP TABLE piece AS
      SELECT h.*, w.status, row_number() OVER (PARTITION BY h.place ORDER BY w.status, h.n)::int AS number,
             md5(w.status || h.id)::uuid AS claim, u.id AS by, b.id AS book, i.id AS item, i.title
        FROM house h JOIN people_user u ON u.resident_id = h.head
        JOIN rulebook_rulebook b ON b.place = h.place JOIN rulebook_item i ON i.book_id = b.id AND i.code = 'HJ01'
        JOIN (VALUES ('on_notice', 2), ('submitted', 3)) AS w(status, nth) ON h.n %% w.nth = 0""",
    """
    INSERT INTO claims_claim (id, place, number, household_id, resident_id, book_id, item_id, text, grade, occurred_on,
                              channel, submitted_by_id, submitted_at, activity, status, late, review_needed, heard,
                              recheck, visit_note, points_awarded, why, body_digest)
      SELECT claim, place, number, id, head, book, item, '', '', %(today)s::date - 10, 'phone', by, now(), '', status,
             false, '1', '', false, '', CASE status WHEN 'on_notice' THEN 200 END, '[]', md5(claim::text)
        FROM piece""",
    """
    INSERT INTO notices_notice (id, place, number, period, title, opens_on, closes_on, status, digest, ledger_head,
                                opened_at, opened_by_id)
      SELECT DISTINCT ON (h.place) md5('notice ' || h.place)::uuid, h.place, 1, %(period)s, '测速公示', %(today)s::date - 2,
             %(today)s::date + 5, 'open', md5(h.place), '', now(), u.id
        FROM house h JOIN people_user u ON u.resident_id = h.head WHERE h.n = 1""",
    """
    INSERT INTO notices_line (id, place, notice_id, position, claim_id, household_id, "group", household_code,
                              name_masked, item_title, occurred_on, points, why, correction, late, public_name, status)
      SELECT md5('line ' || claim)::uuid, place, md5('notice ' || place)::uuid, number, claim, id, '', 1000 + n, '测*',
             title, %(today)s::date - 10, 200, '[]', '', false, true, 'shown' FROM piece WHERE status = 'on_notice'""",
)
# The lines of some villages. Of every eight events of a household six are awards to both purses, one is a deduction
# from both, one is two redemptions; in this order no purse is ever below zero.
_LINES = """
CREATE TEMP TABLE line AS
WITH own AS (
  SELECT place, ledger_account_id(place, 'issued', NULL, 'merit') AS issued_merit,
         ledger_account_id(place, 'issued', NULL, 'spend') AS issued_spend,
         ledger_account_id(place, 'deducted', NULL, 'merit') AS deducted_merit,
         ledger_account_id(place, 'deducted', NULL, 'spend') AS deducted_spend,
         ledger_account_id(place, 'redeemed', NULL, 'spend') AS redeemed
    FROM village WHERE number BETWEEN %(from)s AND %(to)s
), holder AS (
  SELECT h.place, h.n, h.id, h.events, p.purse, ledger_account_id(h.place, 'holder', h.id, p.purse) AS account
    FROM house h, (VALUES ('merit'), ('spend')) AS p(purse)
   WHERE h.village BETWEEN %(from)s AND %(to)s AND h.events > 0
), event AS (
  SELECT h.*, k, 1 + (k - 1) * %(months)s / events AS seq,
         (ARRAY['award', 'award', 'award', 'deduct', 'award', 'award', 'award', 'redeem'])[1 + k %% 8] AS code,
         CASE WHEN k %% 8 IN (3, 7) THEN 100 ELSE 300 + 100 * ((n + k) %% 5) END AS amount
    FROM holder h, generate_series(1, events) AS k
), shaped AS (
  SELECT e.place, e.n, e.k, e.purse, e.seq, e.code, e.amount::bigint, e.account AS holder, s.account AS spend,
         CASE e.code WHEN 'award' THEN CASE e.purse WHEN 'merit' THEN issued_merit ELSE issued_spend END
                     WHEN 'deduct' THEN CASE e.purse WHEN 'merit' THEN deducted_merit ELSE deducted_spend END
                     ELSE redeemed END AS other
    FROM event e JOIN own USING (place) JOIN holder s ON s.id = e.id AND s.purse = 'spend'
)
SELECT place, seq, row_number() OVER (PARTITION BY place, seq ORDER BY n, k, purse)::int AS index,
       md5(place || '/' || n || '/' || k || '/' || purse)::uuid AS id,
       CASE code WHEN 'award' THEN other WHEN 'deduct' THEN holder ELSE spend END AS debit,
       CASE code WHEN 'award' THEN holder ELSE other END AS credit, amount, code, k,
       (%(first)s::date + make_interval(months => seq - 1))::date AS month
  FROM shaped
"""
_POST = (
    """
    INSERT INTO ledger_transfer (id, place, seq, index, debit, credit, amount, short, code, phase, occurred_on,
                                 posted_at, period, late, salt, cause, commitment, leaf)
      SELECT id, place, seq, index, debit, credit, amount, 0, code, 'posted', month + k %% 19,
             least(now(), month + interval '20 days 10 hours'), to_char(month, 'YYYY-MM'), false,
             substr(sha256(uuid_send(id)), 1, 16),
             '{"actor":17,"channel":"phone","claim":"' || id || '","evidence":["' || debit || '"],"item":"HJ01","notice":"'
               || credit || '","number":"A-' || index || '","reviewers":[11,12],"rule":"' || md5(place)::uuid
               || '","rule_version":1}',
             sha256(uuid_send(id)), sha256('\\x00' || uuid_send(id))
        FROM line ORDER BY place, seq, index""",
    """
    INSERT INTO ledger_batch (id, place, seq, previous_head, root, head, algorithm, count, total, posted_at, period, note)
      SELECT ledger_batch_id(place, seq), place, seq, sha256(convert_to(place || (seq - 1), 'UTF8')),
             sha256(convert_to('root' || place || seq, 'UTF8')), sha256(convert_to(place || seq, 'UTF8')), 'sha256',
             count(*), sum(amount), least(now(), month + interval '20 days 10 hours'), to_char(month, 'YYYY-MM'),
             '测速用的合成数据，没有成链'
        FROM line GROUP BY place, seq, month""",
    """
    CREATE TEMP TABLE side AS
      SELECT place, credit AS account, month, code, sum(amount)::bigint AS plus, 0::bigint AS minus FROM line
       GROUP BY 1, 2, 3, 4
      UNION ALL
      SELECT place, debit, month, code, 0, sum(amount)::bigint FROM line GROUP BY 1, 2, 3, 4""",
    """
    INSERT INTO ledger_account (id, place, kind, owner, purse, credits, debits, reserved, may_go_negative, opened_on, seal)
      SELECT a.id, a.place, a.kind, a.owner, a.purse, s.plus, s.minus, 0, false, '2020-01-01',
             ledger_account_seal(a.id, false, '2020-01-01', NULL)
        FROM (SELECT ledger_account_id(k.place, k.kind, k.owner, k.purse) AS id, k.*
                FROM (SELECT place, 'holder' AS kind, id AS owner, p.purse FROM house,
                             (VALUES ('merit'), ('spend')) AS p(purse) WHERE events > 0
                      UNION ALL
                      SELECT place, kind, NULL, purse FROM village,
                             (VALUES ('issued'), ('deducted'), ('redeemed')) AS n(kind),
                             (VALUES ('merit'), ('spend')) AS p(purse)) k
               WHERE k.place IN (SELECT place FROM village WHERE number BETWEEN %(from)s AND %(to)s)) a
        JOIN (SELECT account, sum(plus)::bigint AS plus, sum(minus)::bigint AS minus FROM side GROUP BY account) s
          ON s.account = a.id""",
    """
    INSERT INTO ledger_periodtotal (account, period, place, earned, deducted, spent, expired, adjusted)
      SELECT s.account, to_char(s.month, 'YYYY-MM'), s.place, sum(s.plus),
             coalesce(sum(s.minus) FILTER (WHERE s.code = 'deduct'), 0),
             coalesce(sum(s.minus) FILTER (WHERE s.code = 'redeem'), 0), 0, 0
        FROM side s JOIN ledger_account a ON a.id = s.account AND a.kind = 'holder' GROUP BY 1, 2, 3""",
    "DROP TABLE line, side",
)


def build(database: str, size: Size) -> None:
    """Fill the migrated, empty `database`; print steps and seconds."""
    from zhili.common.periods import today
    from zhili.config import embedded
    from zhili.config.setup import as_owner
    from zhili.places.actions import load_tongchuan

    day = today()
    months = day.year * 12 + day.month - MONTHS
    values: dict[str, Any] = {
        "villages": size.villages, "households": size.households, "events": size.events, "months": MONTHS,
        "today": day, "first": date(months // 12, months % 12 + 1, 1), "period": f"{day:%Y-%m}",
    }  # fmt: skip
    with as_owner(database):
        load_tongchuan()
    with embedded.logins()["owner"].connect(database) as db:
        db.cursor_factory = psycopg.ClientCursor
        db.execute("SELECT set_config('zhili.scope', '*', false)")
        # A crash throws the half-built database away anyhow.
        db.execute("SET synchronous_commit = off; SET work_mem = '256MB'; SET maintenance_work_mem = '512MB'")
        added = _with_defaults(db)
        with _step(f"{size.villages} villages, {size.all_households:,} households, their people and log-ins"):
            _run(db, [_VILLAGES, *_PEOPLE, "ANALYZE"], values)
        with _step("a rule book per village, by its clerk through save_draft"):
            _rule_books(database)
            db.execute(_BOOKS, values)
        with _step("open notices, their lines, claims that wait"):
            _run(db, _NOTICES, values)
        with _step(
            f"{size.transfers:,} transfers with accounts, batches and period totals, indexes as migrated"
        ):
            _lines(db, size, values)
        for table, column in added:
            db.execute(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" DROP DEFAULT')
        with _step("ANALYZE"):
            db.execute("VACUUM (ANALYZE)")
        with _step("balances, batches and period totals checked against the lines, village by village"):
            check_sums(db)


def _with_defaults(db: psycopg.Connection) -> list[tuple[str, str]]:
    """Django fills a new column itself; the statements above do not name it. So for the length of the build the
    database knows the models' plain defaults too, and a column added tomorrow breaks nothing here."""
    import json

    from django.apps import apps

    added = []
    for model in (
        m
        for room in ("places", "people", "claims", "notices")
        for m in apps.get_app_config(room).get_models()
    ):
        for one in model._meta.concrete_fields:
            value = one.get_default()
            value = json.dumps(value) if isinstance(value, (list, dict)) else value
            if one.null or one.has_db_default() or one.primary_key or not isinstance(value, (str, int, bool)):
                continue
            table, column = model._meta.db_table, str(one.column)
            db.execute(
                f'ALTER TABLE "{table}" ALTER COLUMN "{column}" SET DEFAULT {psycopg.sql.quote(value)}'
            )
            added.append((table, column))
    return added


def _run(db: psycopg.Connection, statements: Sequence[str], values: dict[str, Any]) -> None:
    for statement in statements:
        db.execute(statement, values)


def _lines(db: psycopg.Connection, size: Size, values: dict[str, Any]) -> None:
    """Plain indexes are taken off the lines and made again as they were: twice as fast as filling them."""
    plain = db.execute(
        """SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
            WHERE indrelid = 'ledger_transfer'::regclass AND NOT indisunique"""
    ).fetchall()
    for name, _ in plain:
        db.execute(f"DROP INDEX {name}")
    for start in range(1, size.villages + 1, VILLAGES_AT_ONCE):
        chunk = {**values, "from": start, "to": start + VILLAGES_AT_ONCE - 1}
        with db.transaction():
            _run(db, [_LINES, *_POST], chunk)
        done = min(start + VILLAGES_AT_ONCE - 1, size.villages) * size.events * 2
        if done % 500_000 == 0:
            print(f"      {done:>9,} transfers", flush=True)
    for _, definition in plain:
        db.execute(definition)


def _rule_books(database: str) -> None:
    """The starter book as each village's own draft; being put in force is a shortcut of this benchmark."""
    from zhili.common.scope import scoped
    from zhili.config.setup import as_owner
    from zhili.people.models import User
    from zhili.rulebook.actions import save_draft
    from zhili.rulebook.book_yaml import starter_yaml

    text = starter_yaml("household")
    with as_owner(database), scoped("*"):
        for clerk in User.objects.filter(memberships__role="clerk").order_by("pk"):
            save_draft(by=clerk, place=clerk.home_place, text=text)


def check_sums(db: psycopg.Connection) -> None:
    """Raises AssertionError where a balance, a batch's count or a period total does not follow from the lines."""
    from zhili.ledger.check_sums import SUMS

    for (place,) in db.execute("SELECT DISTINCT place FROM ledger_account ORDER BY place").fetchall():
        for check in SUMS:
            if bad := db.execute(check.sql, {"place": place}).fetchone():
                raise AssertionError(f"{place}: {check.what}: {bad}")
    row = db.execute("SELECT sum(credits), sum(debits) FROM ledger_account").fetchone()
    assert row is not None
    if row[0] != row[1]:
        raise AssertionError(f"the books do not balance: {row}")


@contextmanager
def _step(text: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    print(f"    {time.perf_counter() - started:>6.1f} s  {text}", flush=True)
