"""What the pages show of a stored version: where it stands, what comes next and for whom, what the check says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser
from django.urls import reverse

from zhili.common.periods import today
from zhili.common.policy import may
from zhili.people.models import User
from zhili.rulebook.access import who
from zhili.rulebook.models import RuleBook
from zhili.rulebook.queries import checked, parsed, waiting_for_review
from zhili.rulebook.redline_words import LINES
from zhili.rulebook.redlines import Finding
from zhili.rulebook.words import VERDICTS, State, points_words, state_words

_WORST: Final = {"block": 0, "legal_review": 1, "warn": 2, "ok": 3}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the procedure: how its page and its button are called. form: class in forms.py; action: in
    actions.py; done: the sentence after it, with {version}."""

    title: str
    button: str
    form: str
    action: str
    permission: str
    url: str
    intro: str
    done: str
    states: tuple[str, ...]
    danger: bool = False


STEPS: Final[dict[str, Step]] = {
    "consult": Step(
        "征求意见", "开始征求意见", "ConsultForm", "open_consultation", "rulebook.consult", "desk_rulebook_consult",
        "从这时起，全体村民都能在公开页上看到这份草稿。请同时打印张贴，让没有手机的人也看得到。",
        "第 {version} 版已开始征求意见，公开页上看得到了。", ("draft",),
    ),
    "adopt": Step(
        "登记表决", "登记表决结果", "AdoptForm", "record_adoption", "rulebook.adopt", "desk_rulebook_adopt",
        "照会议记录填写。到会人数和赞成票都要够，才算通过。起草人不能自己登记。",
        "第 {version} 版的表决结果已登记，等乡镇备案。", ("consultation",),
    ),
    "file": Step(
        "登记备案", "登记备案回执", "FileForm", "record_filing", "rulebook.file", "desk_rulebook_file",
        "乡镇政府收到表决通过的细则后，在这里登记。没有备案，细则不能施行。",
        "第 {version} 版已备案，可以宣布施行。", ("adopted",),
    ),
    "in_force": Step(
        "宣布施行", "宣布施行", "InForceForm", "put_in_force", "rulebook.put_in_force", "desk_rulebook_in_force",
        "现行的那一版到施行日的前一天为止。从施行日起发生的事按这一版算，以前的不重算。",
        "第 {version} 版已宣布施行。", ("filed",),
    ),
    "override": Step(
        "登记法审意见", "登记法审意见", "OverrideForm", "override", "rulebook.override", "desk_rulebook_override",
        "只有标明“需法审”的项目可以凭书面意见保留，“阻断”的一律不行。意见会公开给全体村民看；草稿一改，意见就作废。",
        "法审意见已登记，并且公开。", ("draft", "consultation", "adopted", "filed"),
    ),
    "withdraw": Step(
        "撤回", "撤回这一版", "WithdrawForm", "withdraw", "rulebook.withdraw", "desk_rulebook_withdraw",
        "撤回的版本留在记录里，不会删除，但不能再用。要重新来，请起草新的一版。",
        "第 {version} 版已撤回。", ("draft", "consultation", "adopted", "filed", "in_force"), danger=True,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Next:
    """A step that may be taken now. url is empty where this person may not; who says who may."""

    step: Step
    url: str
    who: str
    blocked: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the life of a version. done: behind it; text: what is on record."""

    title: str
    done: bool
    text: str
    facts: list[tuple[str, str]]


def state(row: RuleBook) -> State:
    """Where a version stands today, in words."""
    until = str(row.consultation.get("until", ""))
    return state_words(row.status, row.valid_from, row.valid_to, today(), until=until)


def next_steps(user: User | AnonymousUser, row: RuleBook) -> dict[str, Any]:
    """The step that comes next and those at the side: {"main": Next | None, "more": [Next]}."""
    report, waiting = checked(row), waiting_for_review(row)
    main: Next | None = None
    more: list[Next] = []
    for key, step in STEPS.items():
        if row.status not in step.states:
            continue
        allowed = may(user, step.permission, row)
        url = reverse(step.url, args=[row.place, row.pk]) if allowed else ""
        if key in ("override", "withdraw"):
            late = row.status == "in_force" and (row.frozen_at is not None or row.valid_from <= today())
            if allowed and not (key == "override" and not waiting) and not (key == "withdraw" and late):
                more.append(Next(step, url, who(step.permission)))
            continue
        stop = f"有 {report.blocked} 处越过红线，改好才能往下走" if report.blocked else ""
        if key == "in_force" and waiting:
            stop = f"有 {len(waiting)} 处要先登记法审意见"
        main = Next(step, "" if stop else url, who(step.permission), stop)
    return {"main": main, "more": more}


def steps(row: RuleBook) -> list[Stage]:
    """The five stages with what is on record of each."""
    order = ["draft", "consultation", "adopted", "filed", "in_force", "superseded"]
    at = order.index(row.status) if row.status in order else -1
    reached = {
        "consultation": bool(row.consultation), "adopted": bool(row.adoption), "filed": bool(row.filing),
        "in_force": at >= 4,
    }  # fmt: skip
    in_force = f"{row.valid_from} 起" if at >= 4 else ""
    paper = bool(row.adoption.get("taken_over")) and not row.consultation
    return [
        Stage("起草", True, "", []),
        Stage(
            "征求意见",
            reached["consultation"] or paper,
            "此前在纸上办理" if paper else "",
            consultation_facts(row),
        ),
        Stage("会议表决", reached["adopted"], "", adoption_facts(row)),
        Stage("乡镇备案", reached["filed"], "", filing_facts(row)),
        Stage("施行", reached["in_force"], in_force, []),
    ]


def consultation_facts(row: RuleBook) -> list[tuple[str, str]]:
    found = row.consultation
    pairs = [
        ("时间", f"{found.get('on', '')} 至 {found.get('until', '')}"),
        ("怎样提意见", found.get("note", "")),
    ]
    return [(label, text) for label, text in pairs if text] if found else []


def adoption_facts(row: RuleBook) -> list[tuple[str, str]]:
    """The vote as the public sees it: numbers and papers, no names."""
    found = row.adoption
    if not found:
        return []
    pairs = [
        ("会议", found.get("meeting")), ("日期", found.get("on")), ("应到", _people(found.get("entitled"))),
        ("到会", _people(found.get("present"))), ("其中妇女", _people(found.get("women_present"))),
        ("赞成", _people(found.get("in_favour"))), ("反对", _people(found.get("against"))),
        ("弃权", _people(found.get("abstained"))), ("会议记录", found.get("minutes_ref")),
        ("登记", found.get("by_role")),
    ]  # fmt: skip
    return [(label, str(text)) for label, text in pairs if text not in (None, "")]


def filing_facts(row: RuleBook) -> list[tuple[str, str]]:
    found = row.filing
    if not found:
        return []
    how = "细则此前已在纸上通过，由上级一次登记" if found.get("taken_over") else ""
    pairs = [("收到", found.get("on")), ("编号", found.get("receipt")), ("备注", found.get("note") or how),
             ("登记", found.get("by_role"))]  # fmt: skip
    return [(label, str(text)) for label, text in pairs if text]


def overrides(row: RuleBook) -> list[dict[str, Any]]:
    """Legal opinions on record, as everybody may read them."""
    titles = {item.code: item.title for item in parsed(row).items}
    return [
        {
            "items": [(code, titles.get(code, "细则整体")) for code in entry["items"]],
            "reason": entry["reason"], "ref": entry.get("ref", ""), "on": entry.get("recorded_on", ""),
            "by_role": entry.get("by_role", ""),
        }
        for entry in row.override.get("entries", [])
    ]  # fmt: skip


def report_words(row: RuleBook) -> dict[str, Any]:
    """The red-line report for the page: items worst first, each finding with its line, article and rewrite."""
    report, book = checked(row), parsed(row)
    waiting = set(waiting_for_review(row))
    items = []
    for one in report.items:
        item = book.item(one.code)
        reviewed = one.verdict == "legal_review" and one.code not in waiting
        items.append({
            "code": one.code, "title": item.title, "points": points_words(item), "verdict": one.verdict,
            "word": VERDICTS[one.verdict], "reviewed": reviewed, "lines": [_finding(f) for f in one.findings],
        })  # fmt: skip
    items.sort(key=lambda one: _WORST[str(one["verdict"])])
    counts = [
        (VERDICTS[verdict], sum(one["verdict"] == verdict for one in items)) for verdict in _WORST
    ]  # fmt: skip
    return {
        "items": [one for one in items if one["verdict"] != "ok"],
        "passed": [one for one in items if one["verdict"] == "ok"],
        "book": [_finding(found) for found in report.book],
        "counts": counts,
        "coverage": [(group, "、".join(codes)) for group, codes in report.coverage.items()],
        "blocked": report.blocked,
    }


def _finding(found: Finding) -> dict[str, str]:
    line = LINES.get(found.id)
    return {
        "id": found.id, "name": line.title if line else "", "word": VERDICTS[found.level], "basis": found.basis,
        "suggestion": found.suggestion, "quote": found.quote,
    }  # fmt: skip


def _people(count: object) -> str:
    return "" if count is None else f"{count} 人"
