"""核查提示: patterns in the shop worth a look by a person who watches (AD-05, AD-09). Never a punishment, never public.

Each detector has a smallest number below which it says nothing, looks at the last WINDOW_DAYS, and gives one sentence, the
lines behind it and what it is compared with. A kind neighbour who collects for two old people is not a pattern. Households
by their number, never by name. One statement a detector, however many lines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction

from zhili.audit.actions import record
from zhili.common.clock import now
from zhili.common.errors import NotAllowed
from zhili.common.money import format_yuan
from zhili.common.points import format_points
from zhili.common.policy import may
from zhili.people.models import User
from zhili.shop.errors import ShopError
from zhili.shop.matching import JUMP_PERCENT
from zhili.shop.models import FlagResult
from zhili.shop.money import settings_of

WINDOW_DAYS: Final = 90
ROWS_SHOWN: Final = 20
COLLECTOR_HOUSEHOLDS: Final = 4
UNNAMED_ORDERS: Final = 4
FEW_PIECES: Final = 20
FEW_HOUSEHOLDS: Final = 3
FEW_PERCENT: Final = 60
FEW_ACTIVE: Final = 10
NO_PROOF_ORDERS: Final = 2
SHRINK_PIECES: Final = 3
SHRINK_PERCENT: Final = 5
TIED_FEN: Final = 500_00

RULES: Final = {
    "collector": "代领集中在一个人",
    "unnamed": "代领没有写明是谁",
    "few": "一样东西多半被几户兑走",
    "no_proof": "超过上限没有验证",
    "shrinkage": "盘点少得多",
    "price": "进货价突变",
    "tied": "供货方与工作人员有关系",
}


@dataclass(frozen=True, slots=True)
class Flag:
    """One pattern. subject: key of whom or what it is about. kin: a declared tie to whoever handed over stands behind it.

    rows: (moment, words) newest first, at most ROWS_SHOWN; times: all their moments. result: what somebody found; reopened:
    as much again has happened since.
    """

    rule: str
    subject: str
    sentence: str
    comparison: str
    rows: list[tuple[datetime, str]]
    times: list[datetime]
    least: int
    kin: bool = False
    result: FlagResult | None = None

    @property
    def title(self) -> str:
        return RULES[self.rule]

    @property
    def open(self) -> bool:
        if self.result is None:
            return True
        return sum(at > self.result.at for at in self.times) >= self.least

    @property
    def reopened(self) -> bool:
        return self.result is not None and self.open


def flags(place: str) -> list[Flag]:
    """Every pattern of the last WINDOW_DAYS, open ones first, kin first among them. Nine statements."""
    since = now() - timedelta(days=WINDOW_DAYS)
    found = [flag for detector in DETECTORS for flag in detector(place, since)]
    results: dict[tuple[str, str], FlagResult] = {}
    for one in FlagResult.objects.filter(place=place).select_related("by").order_by("at"):
        results[one.rule, one.subject] = one
    found = [replace(flag, result=results.get((flag.rule, flag.subject))) for flag in found]
    order = list(RULES)
    return sorted(found, key=lambda f: (not f.open, not f.kin, order.index(f.rule), f.sentence))


def open_count(place: str) -> int:
    """How many patterns wait for somebody to look."""
    return sum(flag.open for flag in flags(place))


def judge_flag(*, by: User, place: str, rule: str, subject: str, result: str, note: str) -> FlagResult:
    """属实、有理由、误报: what a supervisor found. Nothing follows by itself. Raises NotAllowed, ShopError."""
    if not may(by, "shop.judge", place):
        raise NotAllowed("您的身份不能记录核查结论", hint="由监督委员或乡镇核查。")
    if result not in FlagResult.Result.values or len(note.strip()) < 4:
        raise ShopError(
            "请选结论，并写明怎么核查的", field="note", hint="例如：问了三户，都是自己托他代领的。"
        )
    found = next((one for one in flags(place) if (one.rule, one.subject) == (rule, subject)), None)
    if found is None:
        raise ShopError("这条提示已经没有了", hint="请刷新页面。")
    home = str(by.resident.household_id) if by.resident is not None else ""
    if subject in (home, f"user-{by.pk}"):
        raise NotAllowed("这条提示和您自己有关，您不能核查", hint="请另一位监督委员或乡镇核查。")
    with transaction.atomic():
        made = FlagResult.objects.create(
            place=place, rule=rule, subject=subject, result=result, note=note.strip()[:200], by=by
        )
        record("shop.judge_flag", by=by, place=place, target=made, rule=rule, result=result)
    return made


def _rows(sql: str, **values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def _lines(times: list[datetime], words: list[str]) -> list[tuple[datetime, str]]:
    return sorted(zip(times, words, strict=True), reverse=True)[:ROWS_SHOWN]


# By the collector's household: three people of one family who take turns are one pattern.
_COLLECTORS = """
WITH taken AS (
  SELECT o.number, o.ended_at, o.household_id, h.code, r.household_id AS by_home, c.code AS by_code, o.points,
         EXISTS (SELECT FROM people_user u JOIN people_resident s ON s.id = u.resident_id
                  WHERE u.id = o.handed_by_id AND s.household_id = r.household_id)
         OR EXISTS (SELECT FROM claims_recusal k WHERE k.user_id = o.handed_by_id AND k.household_id = r.household_id
                     AND k.kind = 'relative' AND k.ended_on IS NULL)
         OR EXISTS (SELECT FROM people_user u JOIN people_membership m ON m.user_id = u.id JOIN people_resident s
                      ON s.id = u.resident_id WHERE s.household_id = r.household_id
                     AND m.role IN ('clerk', 'shopkeeper') AND m.place = o.place AND m.valid_to IS NULL) AS kin
    FROM shop_order o JOIN people_household h ON h.id = o.household_id JOIN people_resident r ON r.id = o.collector_id
    JOIN people_household c ON c.id = r.household_id
   WHERE o.place = %(place)s AND o.status = 'handed_over' AND o.ended_at >= %(since)s AND r.household_id <> o.household_id
), sums AS (
  SELECT by_home, by_code, count(DISTINCT household_id) AS homes, count(*) AS orders, sum(points) AS points,
         bool_or(kin) AS kin, array_agg(ended_at ORDER BY ended_at) AS times,
         array_agg('D-' || number || '　' || code || ' 户' ORDER BY ended_at) AS words FROM taken GROUP BY by_home, by_code
)
SELECT by_home, by_code, homes, orders, points, kin, times, words, (SELECT count(*) FROM sums),
       (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY homes) FROM sums)
  FROM sums WHERE homes >= %(least)s ORDER BY kin DESC, homes DESC, by_code
"""


def collectors(place: str, since: datetime) -> list[Flag]:
    """AD-05: one household collects for many others; first where it is kin of whoever handed over, or staff."""
    rows = _rows(_COLLECTORS, place=place, since=since, least=COLLECTOR_HOUSEHOLDS)
    return [
        Flag(
            "collector", str(home),
            f"{code} 户的人替 {homes} 户领过 {orders} 次，共 {format_points(int(points))} 分"
            + ("；这一户是经办人的家人、亲属，或家里有文书、店员" if kin else ""),
            f"近 {WINDOW_DAYS} 天有 {count} 户替别家领过，一般每户只替 {middle} 家领",
            _lines(times, words), times, COLLECTOR_HOUSEHOLDS, kin=kin,
        )
        for home, code, homes, orders, points, kin, times, words, count, middle in rows
    ]  # fmt: skip


_UNNAMED = """
SELECT o.handed_by_id, count(*), count(DISTINCT o.household_id), array_agg(o.ended_at ORDER BY o.ended_at),
       array_agg('D-' || o.number || '　' || h.code || ' 户（' || o.collector_relation || '）' ORDER BY o.ended_at),
       (SELECT count(*) FROM shop_order x WHERE x.place = %(place)s AND x.status = 'handed_over' AND x.ended_at >= %(since)s
           AND x.collector_id IS NOT NULL)
  FROM shop_order o JOIN people_household h ON h.id = o.household_id
 WHERE o.place = %(place)s AND o.status = 'handed_over' AND o.ended_at >= %(since)s AND o.collector_id IS NULL
   AND o.collector_relation <> ''
 GROUP BY o.handed_by_id HAVING count(*) >= %(least)s ORDER BY count(*) DESC, o.handed_by_id
"""


def unnamed(place: str, since: datetime) -> list[Flag]:
    """AD-05: collected for somebody, but it was not written down by whom; by the person who handed over."""
    rows = _rows(_UNNAMED, place=place, since=since, least=UNNAMED_ORDERS)
    return [
        Flag(
            "unnamed", f"user-{user}",
            f"同一位经办人有 {orders} 单代领没有写明是谁领的，涉及 {homes} 户",
            f"近 {WINDOW_DAYS} 天写明了代领人的有 {named} 单",
            _lines(times, words), times, UNNAMED_ORDERS,
        )
        for user, orders, homes, times, words, named in rows
    ]  # fmt: skip


_FEW = """
WITH taken AS (
  SELECT l.good_id, o.household_id, sum(l.quantity) AS pieces, max(o.ended_at) AS last,
         row_number() OVER (PARTITION BY l.good_id ORDER BY sum(l.quantity) DESC, o.household_id) AS rank
    FROM shop_order o JOIN shop_orderline l ON l.order_id = o.id
   WHERE o.place = %(place)s AND o.status = 'handed_over' AND o.ended_at >= %(since)s AND l.good_id IS NOT NULL
   GROUP BY l.good_id, o.household_id
), active AS (
  SELECT count(DISTINCT household_id) AS homes FROM taken
)
SELECT g.id, g.title, g.unit, sum(t.pieces), sum(t.pieces) FILTER (WHERE t.rank <= %(few)s), count(*),
       (SELECT homes FROM active), array_agg(t.last ORDER BY t.rank) FILTER (WHERE t.rank <= %(few)s),
       array_agg(h.code || ' 户　' || t.pieces || g.unit ORDER BY t.rank) FILTER (WHERE t.rank <= %(few)s)
  FROM taken t JOIN shop_good g ON g.id = t.good_id JOIN people_household h ON h.id = t.household_id
 WHERE (SELECT homes FROM active) >= %(active)s
 GROUP BY g.id, g.title, g.unit
HAVING sum(t.pieces) >= %(pieces)s
   AND sum(t.pieces) FILTER (WHERE t.rank <= %(few)s) * 100 > %(percent)s * sum(t.pieces)
 ORDER BY g.title
"""


def few_households(place: str, since: datetime) -> list[Flag]:
    """AD-09: most of one good went to very few households, in a village where many redeem."""
    rows = _rows(_FEW, place=place, since=since, few=FEW_HOUSEHOLDS, active=FEW_ACTIVE, pieces=FEW_PIECES,
                 percent=FEW_PERCENT)  # fmt: skip
    return [
        Flag(
            "few", str(good),
            f"“{title}”兑出 {pieces}{unit}，其中 {top}{unit}（{int(top) * 100 // int(pieces)}%）"
            f"是 {min(FEW_HOUSEHOLDS, homes)} 户兑走的",
            f"近 {WINDOW_DAYS} 天全村有 {active} 户来兑过东西，兑过这样东西的有 {homes} 户",
            _lines(times, words), times, 1,
        )
        for good, title, unit, pieces, top, homes, active, times, words in rows
    ]  # fmt: skip


_NO_PROOF = """
SELECT o.handed_by_id, count(*), array_agg(o.ended_at ORDER BY o.ended_at),
       array_agg('D-' || o.number || '　' || h.code || ' 户　' || (o.points / 100) || ' 分' ORDER BY o.ended_at),
       (SELECT count(*) FROM shop_order x WHERE x.place = %(place)s AND x.status = 'handed_over' AND x.ended_at >= %(since)s
           AND x.points > %(cap)s AND x.proof <> '')
  FROM shop_order o JOIN people_household h ON h.id = o.household_id
 WHERE o.place = %(place)s AND o.status = 'handed_over' AND o.ended_at >= %(since)s AND o.points > %(cap)s AND o.proof = ''
 GROUP BY o.handed_by_id HAVING count(*) >= %(least)s ORDER BY count(*) DESC, o.handed_by_id
"""


def no_proof(place: str, since: datetime) -> list[Flag]:
    """AD-09: above the village's cap, and neither PIN, signature nor second person stands in the order."""
    cap = settings_of(place).cap_points
    rows = _rows(_NO_PROOF, place=place, since=since, cap=cap, least=NO_PROOF_ORDERS)
    return [
        Flag(
            "no_proof", f"user-{user}",
            f"同一位经办人有 {orders} 单超过 {format_points(cap)} 分，没有密码、签名照片，也没有第二人",
            f"上限按现在的 {format_points(cap)} 分；同样的大额有 {proved} 单是验证过的",
            _lines(times, words), times, NO_PROOF_ORDERS,
        )
        for user, orders, times, words, proved in rows
    ]  # fmt: skip


_SHRINKAGE = """
SELECT g.id, g.title, g.unit, -sum(m.quantity) FILTER (WHERE m.kind = 'count'), sum(m.fen) FILTER (WHERE m.kind = 'count'),
       -coalesce(sum(m.quantity) FILTER (WHERE m.kind = 'out'), 0),
       array_agg(m.at ORDER BY m.at) FILTER (WHERE m.kind = 'count' AND m.quantity < 0),
       array_agg(-m.quantity || g.unit || coalesce('　' || (
           SELECT line ->> 'reason' FROM shop_stockcount c, jsonb_array_elements(c.lines) line
            WHERE c.id = m.count_id AND line ->> 'good' = g.id::text LIMIT 1), '') ORDER BY m.at)
         FILTER (WHERE m.kind = 'count' AND m.quantity < 0)
  FROM shop_stockmove m JOIN shop_good g ON g.id = m.good_id
 WHERE m.place = %(place)s AND m.at >= %(since)s
 GROUP BY g.id, g.title, g.unit
HAVING -sum(m.quantity) FILTER (WHERE m.kind = 'count') >= %(pieces)s
   AND -sum(m.quantity) FILTER (WHERE m.kind = 'count') * 100
       > %(percent)s * (-coalesce(sum(m.quantity) FILTER (WHERE m.kind = 'out'), 0)
                        - sum(m.quantity) FILTER (WHERE m.kind = 'count'))
 ORDER BY g.title
"""


def shrinkage(place: str, since: datetime) -> list[Flag]:
    """AD-09: counts found clearly less than the book, against what left the shelf altogether."""
    rows = _rows(_SHRINKAGE, place=place, since=since, pieces=SHRINK_PIECES, percent=SHRINK_PERCENT)
    return [
        Flag(
            "shrinkage", str(good),
            f"“{title}”盘点一共少 {lost}{unit}，值 {format_yuan(int(fen or 0))} 元",
            f"近 {WINDOW_DAYS} 天兑出 {out}{unit}；少的不到 {SHRINK_PIECES} 件或不到 {SHRINK_PERCENT}% 的不提示",
            _lines(times, words), times, 1,
        )
        for good, title, unit, lost, fen, out, times, words in rows
    ]  # fmt: skip


_PRICES = """
SELECT good_id, title, unit, array_agg(at ORDER BY at), array_agg(fen / quantity ORDER BY at),
       array_agg(before_fen / before_quantity ORDER BY at) FROM (
  SELECT m.good_id, g.title, g.unit, m.at, m.quantity, m.fen,
         lag(m.quantity) OVER w AS before_quantity, lag(m.fen) OVER w AS before_fen
    FROM shop_stockmove m JOIN shop_good g ON g.id = m.good_id
   WHERE m.place = %(place)s AND m.kind = 'in' AND m.donated_by = '' AND m.fen > 0
  WINDOW w AS (PARTITION BY m.good_id ORDER BY m.at, m.id)) d
 WHERE at >= %(since)s AND before_fen > 0
   AND (fen * before_quantity - before_fen * quantity) * 100 > %(percent)s * before_fen * quantity
 GROUP BY good_id, title, unit ORDER BY title
"""


def price_jumps(place: str, since: datetime) -> list[Flag]:
    """AD-09: a delivery dearer by more than JUMP_PERCENT than the one before. Cheaper is no pattern."""
    found = []
    for good, title, unit, times, prices, befores in _rows(
        _PRICES, place=place, since=since, percent=JUMP_PERCENT
    ):
        words = [
            f"每{unit} {format_yuan(new)} 元，上次 {format_yuan(old)} 元"
            for new, old in zip(prices, befores, strict=True)
        ]
        found.append(
            Flag(
                "price", str(good),
                f"“{title}”进货价从每{unit} {format_yuan(befores[-1])} 元涨到 {format_yuan(prices[-1])} 元，"
                f"涨了 {(prices[-1] * 100 // befores[-1]) - 100}%",
                f"比上一次贵 {JUMP_PERCENT}% 以上才提示",
                _lines(times, words), times, 1,
            )
        )  # fmt: skip
    return found


_TIED = """
SELECT s.id, s.title, s.related_to, count(*), sum(m.fen), array_agg(m.at ORDER BY m.at),
       array_agg(g.title || '　' || m.quantity || g.unit || '　' || m.paper ORDER BY m.at),
       (SELECT sum(x.fen) FROM shop_stockmove x WHERE x.place = %(place)s AND x.kind = 'in' AND x.donated_by = ''
           AND x.at >= %(since)s)
  FROM shop_stockmove m JOIN shop_supplier s ON s.id = m.supplier_id JOIN shop_good g ON g.id = m.good_id
 WHERE m.place = %(place)s AND m.kind = 'in' AND m.donated_by = '' AND m.at >= %(since)s AND s.related_to <> ''
 GROUP BY s.id, s.title, s.related_to HAVING sum(m.fen) >= %(least)s ORDER BY sum(m.fen) DESC, s.id
"""


def tied_suppliers(place: str, since: datetime) -> list[Flag]:
    """AD-09, G-15: bought from somebody with a declared tie to the staff."""
    return [
        Flag(
            "tied", str(supplier),
            f"从“{title}”进货 {count} 次，共 {format_yuan(int(fen))} 元；登记的关系：{tie}",
            f"占近 {WINDOW_DAYS} 天进货的 {int(fen) * 100 // int(total or fen)}%；不到 {format_yuan(TIED_FEN)} 元的不提示",
            _lines(times, words), times, 1,
        )
        for supplier, title, tie, count, fen, times, words, total in _rows(
            _TIED, place=place, since=since, least=TIED_FEN
        )
    ]  # fmt: skip


DETECTORS: Final[tuple[Callable[[str, datetime], list[Flag]], ...]] = (
    collectors, unnamed, few_households, no_proof, shrinkage, price_jumps, tied_suppliers,
)  # fmt: skip
