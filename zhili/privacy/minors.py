"""The yearly audit of how data of children under 14 was handled (未成年人网络保护条例 36, 37; P-07): figures out of the
register, the consents and the trail; a person writes what was found; then it is reported to the township."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from zhili.audit.actions import record
from zhili.audit.models import Entry
from zhili.common.periods import SHANGHAI, today
from zhili.people.consents import valid_versions
from zhili.people.models import Consent, MinorAccess, Resident, User
from zhili.people.queries import LIVE
from zhili.privacy.access import must
from zhili.privacy.errors import PrivacyError
from zhili.privacy.models import MinorReport


def figures(place: str, year: int) -> dict[str, Any]:
    """The year's numbers. Nine statements; no name, no key of a child."""
    start, end = (datetime.combine(date(n, 1, 1), time.min, tzinfo=SHANGHAI) for n in (year, year + 1))
    day = min(today(), date(year, 12, 31))
    born_after = date(day.year - 14, day.month, min(day.day, 28) if day.month == 2 else day.day)
    children = Resident.objects.filter(place__startswith=place, status__in=LIVE, birth_date__gt=born_after)
    keys = [str(key) for key in children.values_list("pk", flat=True)]
    consented = Consent.objects.filter(
        resident__in=children, purpose=Consent.Purpose.MINOR, agreed=True, ended_at=None,
        notice_version__in=valid_versions(Consent.Purpose.MINOR),
    )  # fmt: skip
    asked = MinorAccess.objects.filter(place__startswith=place, asked_at__gte=start, asked_at__lt=end)
    looks = Entry.objects.filter(
        place__startswith=place,
        at__gte=start,
        at__lt=end,
        target__in=[f"people.resident:{key}" for key in keys],
    )
    unmasked = looks.filter(Q(action="people.unmask") | Q(action="people.reveal"))
    return {
        "children": len(keys),
        "consented": consented.count(),
        "without_consent": len(keys) - consented.count(),
        "by_guardian": consented.filter(given_by=Consent.GivenBy.GUARDIAN).count(),
        "with_numbers": children.exclude(id_number_secret="", phone_secret="").count(),
        "asked": asked.count(),
        "allowed": asked.filter(allowed=True).count(),
        "looks": looks.count(),
        "unmasked": unmasked.count(),
    }


WORDS = {
    "children": "登记的未满 14 岁孩子", "consented": "监护人同意有效", "without_consent": "还没有监护人同意",
    "by_guardian": "其中由监护人答复", "with_numbers": "登记了号码的孩子", "asked": "工作人员申请查看孩子信息",
    "allowed": "其中批准", "looks": "对孩子登记的查看和修改（留痕条数）", "unmasked": "其中看完整号码",
}  # fmt: skip


@transaction.atomic
def make_report(*, by: User, place: str, year: int, findings: str) -> MinorReport:
    """Fix the year's figures with what a person found. Once a year; the year must have begun. Raises PrivacyError."""
    must(by, "privacy.minors", place, "做未成年人信息年度审计")
    findings = findings.strip()
    if not 2020 <= year <= today().year:
        raise PrivacyError("年份不对", field="year", hint=f"请填 2020 到 {today().year}。")
    if not 5 <= len(findings) <= 500:
        raise PrivacyError(
            "请写发现的问题和整改，5 到 500 个字", field="findings", hint="没有问题也要写明怎么查的。"
        )
    try:
        with transaction.atomic():
            made = MinorReport.objects.create(
                place=place, year=year, figures=figures(place, year), findings=findings, made_by=by
            )
    except IntegrityError as error:
        raise PrivacyError(f"{year} 年已经做过审计", field="year") from error
    record("privacy.audit_minors", by=by, place=place, target=made, year=year)
    return made


@transaction.atomic
def report_to(*, by: User, report: MinorReport, to: str, on: date) -> MinorReport:
    """It was handed in: to whom and when. Once."""
    must(by, "privacy.minors", report.place, "报告审计结果")
    row = MinorReport.objects.select_for_update(of=("self",)).get(pk=report.pk)
    if row.reported_on is not None:
        raise PrivacyError(f"已经报告给{row.reported_to}")
    if not 2 <= len(to.strip()) <= 60 or not row.made_at.astimezone(SHANGHAI).date() <= on <= today():
        raise PrivacyError("请写报告给谁，日期在审计之后、今天以前", field="to")
    row.reported_to, row.reported_on = to.strip(), on
    row.save(update_fields=["reported_to", "reported_on"])
    record("privacy.report_minors", by=by, place=row.place, target=row, on=str(on))
    return row
