"""影响评估 before the first household is entered and before anything is published (个人信息保护法 55, 56), and the list
of what must stand before a county goes live.

The template is filled from the field register: what is handled, why, on what basis. People write whether it is needed,
what could go wrong and what is done about it; a second person signs. Kept three years at least.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from zhili.audit.actions import record
from zhili.common.clock import now
from zhili.common.gates import guard
from zhili.common.periods import today
from zhili.people.models import User
from zhili.privacy.access import must
from zhili.privacy.errors import PrivacyError
from zhili.privacy.models import Assessment
from zhili.privacy.register import SUBJECTS, register

VALID_DAYS: Final = 2 * 365
COUNTY_DIGITS: Final = 6
RISKS: Final = ("低", "中", "高")
# The three questions of article 56, in words.
QUESTIONS: Final = {
    "needed": "目的、方式是不是合法、正当、必要，能不能少收、不收",
    "risk": "对个人有什么影响，出了事会怎样",
    "measures": "采取了哪些保护措施，够不够",
}
_BELONGS: Final = {
    "sensitive": ("number", "bank", "health", "birth", "photo"),
    "publication": ("posted_name", "household", "deed"),
    "sharing": ("donor", "deed"),
    "automation": ("deed", "words"),
}
_MEASURES: Final = {
    "sensitive": "号码加密存放，平时只显示头尾各一位，看完整号码要写理由并留痕；每项单独同意，不同意不影响积分。",
    "publication": "公开处只写户编号和遮去一部分的姓名；公布前自动检查号码；到期撤下；本户不公开照样得分。",
    "sharing": "本人申请才提供，只给选定的一家、一个用途、到期为止；合同写明不得转委托；每次登记。",
    "automation": "分由细则算出，每一条都由具体的人评议；扣分要先提醒、听本户陈述；可以提异议。",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the go-live list. ok False: what to do."""

    title: str
    ok: bool
    todo: str


def template() -> dict[str, Any]:
    """An assessment to be filled in: what the register says, the questions, the measures the product brings."""
    found = register()
    subjects = {}
    for code, title in SUBJECTS.items():
        classes = [found.classes[name] for name in _BELONGS[code]]
        subjects[code] = {
            "title": title,
            "data": [f"{one.title}：{one.purpose}（{one.basis}；{one.level}）" for one in classes],
            "needed": "", "risk": "", "level": "", "measures": _MEASURES[code],
        }  # fmt: skip
    return {"format": "zhili-assessment/1", "title": "个人信息保护影响评估", "register_digest": found.digest,
            "subjects": subjects, "conclusion": "", "signed": ""}  # fmt: skip


def summary() -> dict[str, Any]:
    """What the register said when the assessment was made: classes and how many columns each has."""
    found = register()
    counts: dict[str, int] = {}
    for one in found.entries:
        counts[one.of.code] = counts.get(one.of.code, 0) + 1
    return {"version": found.version, "columns": len(found.entries), "classes": counts}


def check_answers(answers: Mapping[str, Any], covers: list[str]) -> None:
    """Raises PrivacyError for the first thing that is not filled in."""
    if not covers or set(covers) - set(SUBJECTS):
        raise PrivacyError("请选评估哪些事", field="covers", hint="；".join(SUBJECTS.values()))
    subjects = answers.get("subjects")
    for code in covers:
        part = subjects.get(code) if isinstance(subjects, dict) else None
        for name, question in QUESTIONS.items():
            text = part.get(name) if isinstance(part, dict) else None
            if not isinstance(text, str) or len(text.strip()) < 10:
                raise PrivacyError(
                    f"“{SUBJECTS[code]}”的“{question}”还没有写清楚",
                    field=f"{code}_{name}",
                    hint="至少写一句完整的话。",
                )
            if len(text) > 2_000:
                raise PrivacyError(f"“{SUBJECTS[code]}”写得太长，最多 2000 个字", field=f"{code}_{name}")
        if not isinstance(part, dict) or part.get("level") not in RISKS:
            raise PrivacyError(
                f"“{SUBJECTS[code]}”的风险高低没有选",
                field=f"{code}_level",
                hint=f"写 {'、'.join(RISKS)} 之一。",
            )
    conclusion = answers.get("conclusion")
    if not isinstance(conclusion, str) or len(conclusion.strip()) < 10:
        raise PrivacyError(
            "结论还没有写", field="conclusion", hint="例如：风险可控，可以上线；每年复查一次。"
        )


@transaction.atomic
def save_assessment(
    *, by: User | None, place: str, title: str, answers: Mapping[str, Any], covers: list[str]
) -> Assessment:
    """A complete draft; it counts once a second person has approved it. Raises PrivacyError."""
    must(by, "privacy.assess", place, "编写影响评估")
    check_answers(answers, covers)
    title = title.strip()
    if not 2 <= len(title) <= 80:
        raise PrivacyError("请写名称，不超过 80 个字", field="title")
    kept = {
        "subjects": {code: answers["subjects"][code] for code in covers},
        "conclusion": answers["conclusion"],
    }
    made = Assessment.objects.create(
        place=place, title=title, covers=covers, register=summary(), register_digest=register().digest,
        answers=kept, made_by=by,
    )  # fmt: skip
    record("privacy.assess", by=by, place=place, target=made, covers=covers)
    return made


@transaction.atomic
def approve_assessment(*, by: User | None, assessment: Assessment, signed: str = "") -> Assessment:
    """The second hand. signed: who signed on paper, where the county is being set up and nobody has a log-in yet."""
    row = Assessment.objects.select_for_update(of=("self",)).get(pk=assessment.pk)
    must(by, "privacy.assess", row.place, "批准影响评估")
    if row.status != Assessment.Status.DRAFT:
        raise PrivacyError("这份评估已经批准")
    if by is not None and by.pk == row.made_by_id:
        raise PrivacyError("编写和批准不能是同一个人", hint="请另一位负责人批准。")
    if by is None and len(signed.strip()) < 2:
        raise PrivacyError("请写明谁签的字", field="signed")
    row.status, row.approved_by, row.signed, row.approved_at = (
        Assessment.Status.APPROVED,
        by,
        signed.strip()[:80],
        now(),
    )
    row.valid_until = today() + timedelta(days=VALID_DAYS)
    row.save(update_fields=["status", "approved_by", "signed", "approved_at", "valid_until"])
    record("privacy.approve_assessment", by=by, place=row.place, target=row, until=str(row.valid_until))
    return row


def read_file(text: str) -> dict[str, Any]:
    """A filled-in template. Raises PrivacyError: not readable, not complete, or made from another register."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise PrivacyError(
            "评估文件读不出来", hint="请用 zhili privacy assess --out 文件 重新生成，再填。"
        ) from error
    if not isinstance(found, dict) or found.get("format") != "zhili-assessment/1":
        raise PrivacyError("这不是影响评估文件", hint="请用 zhili privacy assess --out 文件 生成。")
    check_answers(found, list(SUBJECTS))
    if len(str(found.get("signed", "")).strip()) < 2:
        raise PrivacyError("评估没有写谁签的字", field="signed", hint="写两位负责人的姓名和日期。")
    if found.get("register_digest") != register().digest:
        raise PrivacyError(
            "评估是按以前的登记表做的，登记表已经变了", hint="请重新生成模板，对照着再评一次。"
        )
    return found


def keep_file(place: str, found: Mapping[str, Any]) -> Assessment:
    """A signed file as the county's assessment: at `zhili init`, before anybody has a log-in."""
    made = save_assessment(
        by=None,
        place=place[:COUNTY_DIGITS],
        title=str(found.get("title", ""))[:80],
        answers=found,
        covers=list(SUBJECTS),
    )
    return approve_assessment(by=None, assessment=made, signed=str(found["signed"]))


def in_force(place: str, subject: str, on: date | None = None) -> Assessment | None:
    """The approved assessment of this place or above it that covers `subject` today."""
    return _standing(place, on or today()).filter(covers__contains=[subject]).first()


def _standing(place: str, day: date) -> QuerySet[Assessment]:
    above = [place[:n] for n in (2, 4, 6, 9, 12) if n <= len(place)]
    rows = Assessment.objects.filter(place__in=above, status=Assessment.Status.APPROVED, valid_until__gte=day)
    return rows.order_by("-approved_at")


def checklist(place: str) -> list[Check]:
    """What must stand before going live: one line each."""
    standing = list(_standing(place, today()))
    covering = {code: next((one for one in standing if code in one.covers), None) for code in SUBJECTS}
    todo = "由区县或乡镇编写、另一人批准（个人信息保护法第五十五条）。"
    found = [
        Check(f"影响评估：{title}", covering[code] is not None, todo) for code, title in SUBJECTS.items()
    ]
    stale = [one for one in covering.values() if one is not None and one.register_digest != register().digest]
    found.append(Check("评估和现在的登记表一致", not stale, "登记表变了，请对照着再评一次。"))
    return found


def must_publish(*, place: str) -> None:
    """The gate before anything hangs out: in production not without an assessment of publication (P-09)."""
    if settings.MODE == "production" and in_force(place, "publication") is None:
        raise PrivacyError(
            "还没有做公示的个人信息保护影响评估，不能公示",
            hint="请乡镇或区县在“个人信息 → 影响评估”里编写并由另一人批准。",
        )


def install() -> None:
    """Stand at the gates of the rooms below."""
    guard("publish", must_publish)
