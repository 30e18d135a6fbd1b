"""泄露事件 (个人信息保护法 57, 未成年人网络保护条例 35): who is affected, out of the trail, and the texts to send.

The answer errs on the side of telling too many: an exported list counts for everybody who was registered there, a
household's page for everybody in it. Two statements whatever the number: keys from the trail, people from the register.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction

from zhili.audit.actions import record
from zhili.common.periods import SHANGHAI, today
from zhili.common.spreadsheets import Column, SheetOut, write_workbook
from zhili.people.models import User
from zhili.places.queries import get_place
from zhili.privacy.access import must
from zhili.privacy.errors import PrivacyError
from zhili.privacy.models import Incident

# Kinds of looking, and the names in the trail that mean them. `spread`: which people a row without a person stands for.
KINDS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "unmask": ("看了完整号码", ("people.reveal", "people.unmask")),
    "view": ("打开过本人或本户的页面", ("people.view", "people.minor_view")),
    "export": (
        "导出过本村名单",
        ("people.export", "people.export_list", "claims.export", "ledger.export_balances", "ledger.export",
         "notices.export", "notices.export_objections"),
    ),
    "copy": ("取走过本人的全部信息", ("privacy.copy",)),
    "import": ("导入过本村名单", ("people.import",)),
}  # fmt: skip
ROWS_MAX: Final = 1_000_000
WINDOW_YEARS: Final = 3


@dataclass(frozen=True, slots=True)
class Question:
    """What is known: who may have done it ([] = anybody), between when, by which kinds of looking, where."""

    place: str
    since: datetime
    until: datetime
    actors: tuple[int, ...] = ()
    kinds: tuple[str, ...] = tuple(KINDS)

    def actions(self) -> list[str]:
        return [name for kind in self.kinds for name in KINDS[kind][1]]


@dataclass(frozen=True, slots=True)
class Affected:
    """One person. minor: under 14 today; then guardians are told too. reachable: a phone is registered."""

    place: str
    village: str
    code: str
    group: str
    name: str
    minor: bool
    guardians: str
    how: str
    times: int
    last: datetime
    reachable: bool


def check(question: Question) -> None:
    """Raises PrivacyError for a question that cannot be answered."""
    if question.until < question.since:
        raise PrivacyError("结束时间早于开始时间", field="until", hint="请核对。")
    if (question.until - question.since).days > 366 * WINDOW_YEARS:
        raise PrivacyError(f"时间段太长，最多 {WINDOW_YEARS} 年", field="since", hint="请缩短。")
    unknown = set(question.kinds) - set(KINDS)
    if unknown or not question.kinds:
        raise PrivacyError("请选操作种类", field="kinds", hint=f"可以选 {'、'.join(KINDS)}。")


# Places, households and people named by the trail; a row about a place stands for everybody registered there by then.
_AFFECTED: Final = """
WITH seen AS (
  SELECT e.place, split_part(e.target, ':', 1) AS what, split_part(e.target, ':', 2) AS key, e.action, e.at
    FROM audit_entry e
   WHERE e.place LIKE %(place)s AND e.at >= %(since)s AND e.at <= %(until)s AND e.action = ANY(%(actions)s)
     AND (%(anybody)s OR e.actor_id = ANY(%(actors)s))
), told AS (
  SELECT what, key, place, action, count(*) AS times, max(at) AS last FROM seen GROUP BY what, key, place, action
), hits AS (
  SELECT r.id, t.action, t.times, t.last FROM told t JOIN people_resident r
      ON t.what = 'people.resident' AND r.id::text = t.key
  UNION ALL
  SELECT r.id, t.action, t.times, t.last FROM told t JOIN people_resident r
      ON t.what = 'people.household' AND r.household_id::text = t.key
  UNION ALL
  SELECT r.id, t.action, t.times, t.last FROM
    (SELECT place, action, sum(times)::int AS times, max(last) AS last FROM told
      WHERE what NOT IN ('people.resident', 'people.household') GROUP BY place, action) t
    JOIN people_resident r ON r.place LIKE t.place || '%%' AND r.place LIKE %(place)s
), people AS (
  SELECT id, array_agg(DISTINCT action) AS actions, sum(times)::int AS times, max(last) AS last FROM hits GROUP BY id
)
SELECT r.place, p.name, h.code, h."group", r.name,
       coalesce(r.birth_date > %(minor)s, false), r.household_id, people.actions, people.times, people.last,
       r.phone_secret <> ''
  FROM people JOIN people_resident r ON r.id = people.id
  JOIN people_household h ON h.id = r.household_id LEFT JOIN places_place p ON p.code = r.place
 WHERE NOT EXISTS (SELECT 1 FROM privacy_erasure x WHERE x.resident_id = r.id)
 ORDER BY r.place, h.code, r.id LIMIT %(limit)s
"""


def affected(question: Question) -> list[Affected]:
    """Everybody whose data was looked at, exported or taken, by village and household. Two statements."""
    check(question)
    day = today()
    facts: dict[str, Any] = {
        "place": f"{question.place}%", "since": question.since, "until": question.until,
        "actions": question.actions(), "anybody": not question.actors, "actors": list(question.actors),
        "minor": day.replace(year=day.year - 14, day=min(day.day, 28) if day.month == 2 else day.day),
        "limit": ROWS_MAX,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_AFFECTED, facts)
        rows = cursor.fetchall()
    guardians = _guardians({row[6] for row in rows if row[5]})
    titles = {name: KINDS[kind][0] for kind in KINDS for name in KINDS[kind][1]}
    return [
        Affected(
            place=row[0], village=row[1] or row[0], code=row[2], group=row[3], name=row[4], minor=row[5],
            guardians=guardians.get(row[6], "") if row[5] else "",
            how="、".join(dict.fromkeys(titles[action] for action in row[7])), times=row[8], last=row[9],
            reachable=row[10],
        )
        for row in rows
    ]  # fmt: skip


def _guardians(households: set[Any]) -> dict[Any, str]:
    """Household → its grown-ups' names, head first, three at most. One statement."""
    if not households:
        return {}
    day = today()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT household_id, array_agg(name ORDER BY (relation = 'head') DESC, id) FROM people_resident"
            " WHERE household_id = ANY(%s) AND status IN ('present', 'away')"
            " AND (birth_date IS NULL OR birth_date <= %s) GROUP BY household_id",
            [list(households), day.replace(year=day.year - 18, day=1)],
        )
        return {key: "、".join(names[:3]) for key, names in cursor.fetchall()}


@dataclass(slots=True)
class Pack:
    """The pack: the incident on record, the people, the three texts."""

    incident: Incident
    people: list[Affected]
    to_authority: list[str]
    to_people: list[str]
    to_guardians: list[str]


def facts_missing(incident: Incident) -> list[str]:
    """What the law asks the texts to say and nobody has written yet (57)."""
    wanted = {"data_kinds": "信息种类", "cause": "原因", "harm": "可能的危害", "remedies": "补救措施",
              "advice": "个人可以怎么做", "contact": "联系方式"}  # fmt: skip
    return [title for name, title in wanted.items() if not getattr(incident, name).strip()]


@transaction.atomic
def open_incident(*, by: User | None, question: Question, **texts: str) -> Incident:
    """Ask, and keep the question, the numbers and the texts on record; the list is made again from them when needed.

    texts: data_kinds, cause, harm, remedies, advice, contact. Raises PrivacyError where one is missing.
    """
    must(by, "privacy.breach", question.place, "办理泄露事件")
    check(question)
    made = Incident(
        place=question.place, since=question.since, until=question.until, actors=list(question.actors),
        kinds=list(question.kinds), made_by=by, **{name: text.strip() for name, text in texts.items()},
    )  # fmt: skip
    missing = facts_missing(made)
    if missing:
        raise PrivacyError(
            f"还没有写{'、'.join(missing)}", hint="通知里必须写明这些（个人信息保护法第五十七条）。"
        )
    people = affected(question)
    made.people, made.minors = len(people), sum(one.minor for one in people)
    made.save(force_insert=True)
    record(
        "privacy.breach", by=by, place=made.place, target=made, people=made.people, minors=made.minors,
        actors=list(question.actors), kinds=list(question.kinds),
    )  # fmt: skip
    return made


def pack(incident: Incident) -> Pack:
    """The list again and the texts."""
    question = Question(
        incident.place, incident.since, incident.until, tuple(incident.actors), tuple(incident.kinds)
    )
    people = affected(question)
    place = get_place(incident.place).name
    span = f"{_local(incident.since)}至{_local(incident.until)}"
    common = [
        f"涉及的信息：{incident.data_kinds}",
        f"原因：{incident.cause}",
        f"可能的危害：{incident.harm}",
        f"已经采取的补救措施：{incident.remedies}",
        f"联系方式：{incident.contact}",
    ]
    minors = sum(one.minor for one in people)
    villages = len({one.place for one in people})
    numbers = f"{villages} 个村（社区）{len(people)} 人，其中未满 14 岁 {minors} 人"
    authority = [
        f"{place}发现个人信息可能泄露，时间在{span}，涉及 {numbers}。",
        *common,
        "名单见附表。受影响的人和未成年人的监护人正在逐一告知。",
        "依据：《个人信息保护法》第五十七条、《网络数据安全管理条例》第十一条、《未成年人网络保护条例》第三十五条。",
    ]
    told = [
        f"{span}，您登记在村里的信息可能被不该看的人看到。",
        *common,
        f"您可以这样做：{incident.advice}",
        "您也可以要求看一看谁看过您的信息，到村里或在手机“我的信息”里办。",
    ]
    guardians = [f"{span}，您家孩子登记在村里的信息可能被不该看的人看到。", *told[1:]]
    return Pack(incident, people, authority, told, guardians)


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(SHANGHAI):%Y年%-m月%-d日%-H时%-M分}"


_COLUMNS: Final = (
    Column("村", 16), Column("组", 8), Column("户编号", 10), Column("姓名", 12), Column("未满 14 岁", 10),
    Column("监护人", 20), Column("怎么涉及", 40), Column("次数", 8, "int"), Column("最近一次", 18),
    Column("登记了电话", 10), Column("告知日期", 12), Column("怎么告知的", 14),
)  # fmt: skip


def workbook(found: Pack, *, watermark: str) -> bytes:
    """The pack as Excel: texts first, then everybody, then the children with their guardians."""
    texts = [("给主管部门的报告", line) for line in found.to_authority]
    texts += [("给个人的通知", line) for line in found.to_people]
    texts += [("给监护人的通知", line) for line in found.to_guardians]
    first = SheetOut("通知文本", [Column("用途", 20), Column("内容", 100)], texts, heading="个人信息泄露事件")
    sheets = [first, *_sheets(found.people)]
    return write_workbook(sheets, watermark=watermark, properties={"title": "个人信息泄露事件"})


def list_workbook(people: list[Affected]) -> bytes:
    """The list alone, for the command line."""
    return write_workbook(_sheets(people), properties={"title": "涉及的人"})


def _sheets(people: list[Affected]) -> list[SheetOut]:
    children = [one for one in people if one.minor]
    return [
        SheetOut("涉及的人", _COLUMNS, _rows(people), heading=f"涉及 {len(people)} 人", frozen_columns=4),
        SheetOut("未满14岁", _COLUMNS, _rows(children), heading=f"未满 14 岁 {len(children)} 人，通知监护人"),
    ]


def _rows(people: Sequence[Affected]) -> Iterator[list[object]]:
    for one in people:
        yield [
            one.village, one.group, one.code, one.name, "是" if one.minor else "", one.guardians, one.how, one.times,
            one.last.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M"), "是" if one.reachable else "", None, None,
        ]  # fmt: skip


def actors_named(place: str, names: Sequence[str]) -> tuple[int, ...]:
    """Log-in names → keys. Raises PrivacyError for one that does not exist."""
    wanted = [name.strip() for name in names if name.strip()]
    found = dict(User.objects.filter(username__in=wanted).values_list("username", "pk"))
    missing = [name for name in wanted if name not in found]
    if missing:
        raise PrivacyError(
            f"没有账号 {missing[0][:40]}", field="actors", hint="请核对账号名，多个用逗号隔开。"
        )
    return tuple(found.values())


def record_pack(*, by: User | None, incident: Incident, form: str) -> None:
    """The list left as a file."""
    record("privacy.pack", by=by, place=incident.place, target=incident, form=form, people=incident.people)
