"""Paper of honours: certificates, door plates, the list for the notice board, thank-you letters (G-14, U-30, M-03).

Certificates and letters carry the household's own name and go from hand to hand; what hangs outside is masked. The
same words stand on the page and on the paper: nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import path

from zhili.audit.actions import record
from zhili.claims.models import Claim
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.periods import today
from zhili.common.points import format_points
from zhili.common.policy import open_to_all, requires, signed_in
from zhili.honours.access import access_entry, access_goal, access_list, access_own_entry
from zhili.honours.desk import at, status_of
from zhili.honours.forms import LetterForm
from zhili.honours.models import GroupGoal, HonourEntry, HonourList
from zhili.honours.queries import hanging_list, shown_list
from zhili.notices.queries import chinese_day
from zhili.notices.scopes import Scope
from zhili.people.access import access_household, person_of
from zhili.people.models import Household
from zhili.people.queries import head_names
from zhili.places.queries import get_place, village_settings
from zhili.web.notice_paper import answer
from zhili.web.print import PrintError
from zhili.web.print.honours import (
    Certificate,
    Certificates,
    HonourPoster,
    HonourRow,
    HonourSection,
    Letter,
    Plate,
    Plates,
    certificates_pdf,
    honour_name,
    honour_poster_pdf,
    letter_pdf,
    plates_pdf,
)
from zhili.web.publishing import public_file

LETTER_DAYS: Final = 365
DEEDS_MAX: Final = 5


def _awarded(request: HttpRequest, place: str, key: UUID) -> HonourList:
    """A list the meeting has decided on: before that nothing is printed."""
    found = access_list(at(request, place, "honours.manage"), key)
    if found.place != place:
        raise NotFound("没有这张荣誉榜。")
    if found.status not in HonourList.AWARDED:
        raise ZhiliError("会上还没有决定，不能打印", hint="先由议事会成员或监督委员登记决定。")
    return found


def _where(entry: HonourEntry) -> str:
    return f"{entry.group} {entry.household_code} 户".strip()


def certificates_of_list(found: HonourList, entries: list[HonourEntry]) -> bytes:
    """The certificates of these entries of one list. Two queries."""
    names = head_names(found.place, [one.household_id for one in entries])
    scheme = found.scheme
    number = f"（{scheme.basis_number}）" if scheme.basis_number else ""
    votes = f"，{found.votes}" if found.votes else ""
    assert found.decided_on is not None
    sheet = Certificates(
        village=get_place(found.place).short_name,
        period_title=found.time.title,
        basis=f"依据：{scheme.basis}{number}；{chinese_day(found.decided_on, weekday=False)}"
        f"{found.decided_by}决定{votes}。",
        decided_on=found.decided_on,
        printed_on=today(),
        certificates=[
            Certificate(
                one.certificate,
                f"{_where(one)}　{names.get(one.household_id, '')}".strip(),
                honour_name(scheme.title, one.stars),
                one.stars,
            )
            for one in entries
        ],
        demo=village_settings(found.place).demo,
    )
    return _made(lambda: certificates_pdf(sheet))


@requires("honours.manage")
def certificates(request: HttpRequest, place: str, honourlist: UUID) -> HttpResponse:
    """All certificates of a list in one file."""
    found = _awarded(request, place, honourlist)
    entries = list(found.entries.filter(struck_at=None).select_related("list__scheme").order_by("number"))
    body = certificates_of_list(found, entries)
    record("honours.print", by=person_of(request), place=place, target=found, count=len(entries))
    return answer(body, f"certificates-{place}-{found.number}.pdf")


@requires("honours.manage")
def certificate(request: HttpRequest, place: str, honourentry: UUID) -> HttpResponse:
    """One certificate."""
    entry = access_entry(at(request, place, "honours.manage"), honourentry)
    if entry.place != place or entry.struck_at is not None:
        raise NotFound("没有这张证书。")
    found = _awarded(request, place, entry.list_id)
    body = certificates_of_list(found, [entry])
    record("honours.print", by=person_of(request), place=place, target=found, count=1)
    return answer(body, f"certificate-{place}-{found.number}-{entry.number}.pdf")


@requires("honours.manage")
def plates(request: HttpRequest, place: str, honourlist: UUID) -> HttpResponse:
    """Door plates of a list of stars, A5 or A4; households that asked not to be published get none."""
    found = _awarded(request, place, honourlist)
    paper: Literal["a4", "a5"] = "a4" if request.GET.get("paper") == "a4" else "a5"
    entries = found.entries.filter(struck_at=None, stars__gt=0, household__published=True).order_by("number")
    sheet = Plates(
        village=get_place(place).short_name,
        period_title=found.time.title,
        printed_on=today(),
        plates=[Plate(_where(one), honour_name(found.scheme.title, one.stars), one.stars) for one in entries],
        demo=village_settings(place).demo,
    )
    body = _made(lambda: plates_pdf(sheet, paper))
    record("honours.print", by=person_of(request), place=place, target=found, count=len(sheet.plates))
    return answer(body, f"plates-{place}-{found.number}-{paper}.pdf")


@requires("honours.manage")
def desk_poster(request: HttpRequest, place: str, honourlist: UUID) -> HttpResponse:
    """The list for the notice board, also of an honour that stays in the village."""
    found = _awarded(request, place, honourlist)
    body = _poster(found, Scope.PAPER)
    record("honours.print", by=person_of(request), place=place, target=found, count=1)
    return public_file(place, body, f"honours-{place}-{found.number}.pdf")


@open_to_all
def open_poster(request: HttpRequest, place: str, number: int) -> HttpResponse:
    """The same for everybody while the list hangs out."""
    found = hanging_list(place, number, public=True)
    return public_file(place, _poster(found, Scope.INTERNET), f"honours-{place}-{number}.pdf")


def _poster(found: HonourList, scope: Scope) -> bytes:
    shown, scheme, settings = shown_list(found, scope), found.scheme, village_settings(found.place)
    assert found.decided_on is not None
    poster = HonourPoster(
        village=get_place(found.place).short_name,
        title=scheme.title,
        period_title=found.time.title,
        rule=rule_words(found),
        basis=f"{scheme.basis}；{chinese_day(found.decided_on, weekday=False)}{found.decided_by}决定",
        sections=[
            HonourSection(
                title,
                rows[0].stars,
                [
                    HonourRow(
                        row.group,
                        row.household_code,
                        row.name,
                        str(row.rank) if row.rank else "",
                        "" if row.points is None else format_points(row.points),
                        "后来有更正" if row.corrected else "",
                    )
                    for row in rows
                ],
            )
            for title, rows in shown.sections
        ],
        count=shown.count,
        unnamed=shown.unnamed,
        shown_to=chinese_day(found.shown_to, weekday=False) if found.shown_to else "公布期满",
        printed_on=found.shown_from or found.decided_on,
        phone=settings.office_phone,
        demo=settings.demo,
    )
    return _made(lambda: honour_poster_pdf(poster))


def rule_words(found: HonourList) -> str:
    """The rule as the pages say it (honours/rule_words.html)."""
    return render_to_string("honours/rule_words.html", {"scheme": found.scheme}).strip()


@signed_in
def own_certificate(request: HttpRequest, honourentry: UUID) -> HttpResponse:
    """/m/honours/<id>/certificate.pdf: the own household's."""
    entry = access_own_entry(person_of(request), honourentry)
    body = certificates_of_list(entry.list, [entry])
    return answer(body, f"certificate-{entry.place}-{entry.list.number}-{entry.number}.pdf")


@requires("honours.manage")
def letter(request: HttpRequest, place: str, household: UUID) -> HttpResponse:
    """A thank-you letter: written from what the household did, written over by hand, printed. Nothing is stored."""
    user = at(request, place, "honours.manage")
    home = access_household(user, household)
    if home.place != place:
        raise NotFound("没有这一户。")
    name = head_names(place, [home.pk]).get(home.pk, "")
    village = get_place(place).short_name
    form = LetterForm(
        request.POST if request.method == "POST" else None,
        initial={
            "greeting": f"{home.group} {home.code} 户　{name}".strip(),
            "body": letter_words(home),
            "signed": f"{village}村民委员会",
        },
    )
    error: ZhiliError | None = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        made = Letter(
            village=village,
            greeting=data["greeting"],
            paragraphs=[line.strip() for line in data["body"].splitlines() if line.strip()],
            signed=data["signed"],
            printed_on=today(),
            demo=village_settings(place).demo,
        )
        try:
            body = _made(lambda: letter_pdf(made))
            record("honours.letter", by=user, place=place, target=home)
            return answer(body, f"letter-{place}-{home.code}.pdf")
        except ZhiliError as refused:
            error = refused
    context = {"place": place, "household": home, "form": form, "error": error}
    return render(request, "honours/desk_letter.html", context, status=422 if error else status_of(form))


def letter_words(home: Household) -> str:
    """What the household did in the last year, most often first, in the village's own words. One query."""
    day = today()
    since = day - timedelta(days=LETTER_DAYS)
    deeds = (
        Claim.objects.filter(
            household=home, status=Claim.Status.POSTED, points_awarded__gt=0, occurred_on__gt=since
        )
        .values("item__title")
        .annotate(times=Count("pk"))
        .order_by("-times", "item__title")[:DEEDS_MAX]
    )
    listed = "，".join(f"{one['item__title']} {one['times']} 次" for one in deeds)
    did = (
        f"{since.year}年{since.month}月到{day.year}年{day.month}月，您家做了这些事：{listed}。大家都看在眼里，记在心里。"
        if listed
        else "这一年，您家为村里出了力，大家都看在眼里，记在心里。"
    )
    return f"{did}\n村民委员会代表全村，向您家说一声：谢谢！\n愿您家把这份热心一直传下去，带着大家把村子建设得更好。"


@requires("honours.manage")
def goal_letter(request: HttpRequest, place: str, groupgoal: UUID) -> HttpResponse:
    """Thanks to a whole group that reached its goal."""
    user = at(request, place, "honours.manage")
    goal = access_goal(user, groupgoal)
    if goal.place != place:
        raise NotFound("没有这个目标。")
    if goal.status != GroupGoal.Status.REACHED or goal.reached_on is None:
        raise ZhiliError("这个目标还没有登记达到，不能打印感谢信")
    village = get_place(place).short_name
    made = Letter(
        village=village,
        greeting=f"{goal.group}全体村民",
        paragraphs=[
            f"{chinese_day(goal.reached_on, weekday=False)}，你们组达到了“{goal.title}”的目标。",
            "这不是哪一家的功劳，是全组一件事一件事做出来的。",
            f"按照{goal.basis}，村里兑现：{goal.reward}。",
            "村民委员会代表全村，向你们组的每一户说一声：谢谢！",
        ],
        signed=f"{village}村民委员会",
        printed_on=today(),
        demo=village_settings(place).demo,
    )
    body = _made(lambda: letter_pdf(made))
    record("honours.letter", by=user, place=place, target=goal)
    return answer(body, f"letter-{place}-goal.pdf")


def _made(make: Callable[[], bytes]) -> bytes:
    """The bytes; a printer's refusal as a sentence of ours."""
    try:
        return make()
    except PrintError as error:
        raise ZhiliError(str(error)) from error


desk_urlpatterns = [
    path(
        "<str:place>/honours/lists/<uuid:honourlist>/certificates.pdf",
        certificates,
        name="desk_honour_certificates",
    ),
    path("<str:place>/honours/lists/<uuid:honourlist>/plates.pdf", plates, name="desk_honour_plates"),
    path("<str:place>/honours/lists/<uuid:honourlist>/poster.pdf", desk_poster, name="desk_honour_poster"),
    path(
        "<str:place>/honours/entries/<uuid:honourentry>/certificate.pdf",
        certificate,
        name="desk_honour_certificate",
    ),
    path("<str:place>/honours/letters/<uuid:household>/", letter, name="desk_honour_letter"),
    path("<str:place>/honours/goals/<uuid:groupgoal>/letter.pdf", goal_letter, name="desk_goal_letter"),
]
phone_urlpatterns = [
    path("honours/<uuid:honourentry>/certificate.pdf", own_certificate, name="m_certificate")
]
open_urlpatterns = [
    path("<str:place>/honours/<int:number>/poster.pdf", open_poster, name="open_honour_poster")
]
