"""Who is affected by an incident (P-12): the list and the workbook from the trail, at a county's size, under five minutes.

60,000 households, 180,000 people, two million audit rows in 200 villages; a clerk's account taken over for a year in
every village at once: the worst list there can be, everybody. Rows are made by SQL with triggers off; the question is
asked by the product's own functions as the application's role.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from bench.support import database, mark

HOUSEHOLDS, PEOPLE_EACH, ROWS = 60_000, 3, 2_000_000
LIMIT_SECONDS = 300

_FILL = """
SET session_replication_role = replica;
CREATE TEMP TABLE village AS SELECT (row_number() OVER (ORDER BY code) - 1)::int AS n, code AS place
  FROM places_place WHERE kind IN ('village', 'community') ORDER BY code LIMIT 200;
INSERT INTO people_household (id, place, code, "group", address, status, card_token, card_version, published,
                              opened_on)
  SELECT md5('h' || h)::uuid, v.place, (1000 + h / 200)::text, (h %% 8 + 1) || '组', '', 'living',
         md5('c' || h), 1, true, '2020-01-01'
    FROM generate_series(0, %(households)s - 1) h JOIN village v ON v.n = h %% 200;
INSERT INTO people_resident (id, place, household_id, name, pinyin, birth_date, relation, status, phone_secret,
                             id_number_secret, bank_secret, tags)
  SELECT md5('r' || h || '-' || k)::uuid, x.place, x.id, '演示' || k, 'ys',
         CASE k WHEN 3 THEN current_date - 3000 ELSE DATE '1970-01-01' END,
         CASE k WHEN 1 THEN 'head' WHEN 2 THEN 'spouse' ELSE 'son' END, 'present', 'x', '', '', '[]'
    FROM generate_series(0, %(households)s - 1) h CROSS JOIN generate_series(1, %(each)s) k
    JOIN people_household x ON x.id = md5('h' || h)::uuid;
INSERT INTO audit_entry (id, at, utc_offset, place, actor_id, role, action, target, outcome, source, receipt,
                         detail, algorithm)
  SELECT md5('a' || a)::uuid, TIMESTAMPTZ '2026-01-01' + a * INTERVAL '15 seconds', 480, v.place, a %% 400, 'clerk',
         (ARRAY['people.unmask', 'people.view', 'claims.submit', 'claims.review', 'notices.object'])[a %% 5 + 1],
         CASE a %% 5 WHEN 0 THEN 'people.resident:' || md5('r' || a %% %(households)s || '-1')::uuid
                     WHEN 1 THEN 'people.household:' || md5('h' || a %% %(households)s)::uuid ELSE 'claims.claim:x' END,
         'ok', '', '', '{}', ''
    FROM generate_series(0, %(rows)s - 1) a JOIN village v ON v.n = (a %% %(households)s) %% 200;
INSERT INTO audit_entry (id, at, utc_offset, place, actor_id, role, action, target, outcome, source, receipt,
                         detail, algorithm)
  SELECT md5('e' || n)::uuid, TIMESTAMPTZ '2026-06-01', 480, place, 7, 'clerk', 'people.export', '', 'ok', '', '', '{}', ''
    FROM village;
"""


def main() -> None:
    """Fill, ask for everybody and for one account in one month, write the workbook."""
    with database("bench_breach"):
        from django.db import connection

        from zhili.common.scope import scoped
        from zhili.config import embedded
        from zhili.places.actions import load_tongchuan
        from zhili.privacy.breach import Question, affected, list_workbook

        load_tongchuan()
        with embedded.superuser().connect(str(connection.settings_dict["NAME"])) as db:
            db.execute(_FILL % {"households": HOUSEHOLDS, "each": PEOPLE_EACH, "rows": ROWS})
            db.execute("ANALYZE")
        year = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC)
        june = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 30, tzinfo=UTC)
        with scoped("511702"):
            started = time.perf_counter()
            everybody = affected(Question("511702", *year))
            asked = time.perf_counter() - started
            book = list_workbook(everybody)
            whole = time.perf_counter() - started
            started = time.perf_counter()
            few = affected(Question("511702", june[0] + timedelta(days=5), june[1], actors=(11,)))
            one = time.perf_counter() - started
        print(
            f"  {ROWS:,} audit rows, {HOUSEHOLDS:,} households; one account in a month: {len(few):,} people, {one:.2f} s"
        )
        print(
            f"  everybody: {len(everybody):,} people, list {asked:.1f} s, "
            f"with the workbook ({len(book) >> 20} MB) {whole:.1f} s"
        )
        complete = len(everybody) == HOUSEHOLDS * PEOPLE_EACH
        mark(
            f"P-12 affected people of a county listed in {whole:.0f} s (under {LIMIT_SECONDS} s)",
            complete and whole < LIMIT_SECONDS,
        )
