"""申报 on the phone: my claims, a new one step by step, what became of it. Every step works without script."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.http import urlencode

from zhili.claims.access import access_claim, access_evidence, of_household
from zhili.claims.actions import resubmit_claim, withdraw_claim
from zhili.claims.entering import REVIEW_WORDS, Entry, find_choice, label_of, shelves, word_for
from zhili.claims.errors import ClaimError
from zhili.claims.forms import ClaimForm
from zhili.claims.models import Claim
from zhili.claims.photos import open_photo
from zhili.claims.queries import claim_story, evidence_of
from zhili.claims.stash import fetch
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.periods import today
from zhili.common.policy import may, requires, signed_in
from zhili.people.access import person_of, village_of
from zhili.people.models import Delegation, Household, Resident
from zhili.people.queries import find_by_card, search_households
from zhili.rulebook.queries import parsed

CLAIMS_SHOWN = 60
NEXT = {
    "1": "村里的评议员看过以后，会公示，公示没有异议就入账。",
    "2": "两位评议员看过以后，会公示，公示没有异议就入账。",
    "council": "议事会评定以后，会公示，公示没有异议就入账。",
}


@dataclass(slots=True)
class Whose:
    """For whom a claim is written. query: what the links carry on."""

    household: Household
    on_behalf_of: Resident | None
    query: str
    own: bool


def whose(request: HttpRequest) -> Whose | None:
    """The own household, the one a delegation names (?for=), or a neighbour's (?h=户编号). Foreign: NotFound."""
    user, place = person_of(request), village_of(request)
    if wanted := request.GET.get("for", ""):
        held = next((one for one in delegations(request) if str(one.pk) == wanted), None)
        if held is None:
            raise NotFound("没有这条代办。")
        return Whose(held.principal.household, held.principal, "?" + urlencode({"for": wanted}), False)
    if wanted := request.GET.get("h", ""):
        found = Household.objects.filter(place=place, code=wanted[:20]).first()
        if found is None or not may(user, "claims.submit", found):
            raise NotFound("没有这一户。")
        return Whose(found, None, "?" + urlencode({"h": found.code}), of_household(user, found))
    if user.resident is None:
        return None
    return Whose(user.resident.household, None, "", True)


def delegations(request: HttpRequest) -> list[Delegation]:
    """People this person may claim for today (代办)."""
    day = today()
    rows = Delegation.objects.filter(delegate=person_of(request), scope__in=["claim", "all"], revoked_on=None)
    rows = rows.filter(valid_from__lte=day, valid_to__gte=day, principal__status__in=["present", "away"])
    return list(rows.select_related("principal__household").order_by("principal__name")[:50])


@signed_in
def mine(request: HttpRequest) -> HttpResponse:
    """/m/claims/: what the household and I have claimed, and how it stands."""
    user, place = person_of(request), village_of(request)
    home = user.resident.household if user.resident else None
    rows = Claim.objects.filter(
        Q(submitted_by=user) | Q(household=home) if home else Q(submitted_by=user), place=place
    )
    claims = list(rows.select_related("item", "household", "resident")[:CLAIMS_SHOWN])
    returned = [claim for claim in claims if claim.status == Claim.Status.RETURNED]
    return render(
        request,
        "claims/phone_list.html",
        {
            "returned": returned,
            "claims": [claim for claim in claims if claim.status != Claim.Status.RETURNED],
            "home": home,
            "may_submit": may(user, "claims.submit"),
            "may_review": may(user, "claims.review"),
            "may_field": may(user, "claims.field", place),
        },
    )


@requires("claims.submit")
def new(request: HttpRequest) -> HttpResponse:
    """/m/claims/new/: which item, by category, with a search."""
    target = whose(request)
    if target is None:
        return redirect("m_claim_for")
    search = request.GET.get("q", "").replace("\x00", "").strip()[:20]
    return render(
        request,
        "claims/phone_items.html",
        {
            "target": target,
            "label": label_of(person_of(request), target.household),
            "shelves": shelves(person_of(request), target.household, search),
            "q": search,
        },
    )


@requires("claims.submit")
def for_whom(request: HttpRequest) -> HttpResponse:
    """/m/claims/for/: for a neighbour by 户编号 or card, or for somebody I act for."""
    user, place = person_of(request), village_of(request)
    text = request.GET.get("q", "").replace("\x00", "").strip()[:300]
    found = find_by_card(place, text) if text else None
    if found is not None and may(user, "claims.submit", found):
        return redirect(reverse("m_claim_new") + "?" + urlencode({"h": found.code}))
    rows = search_households(place, text) if text and may(user, "people.see_households", place) else []
    rows = [row for row in rows if may(user, "people.see_household", row)]
    context = {
        "q": text,
        "found": rows,
        "delegations": delegations(request),
        "missing": bool(text) and not rows,
    }
    return render(request, "claims/phone_for.html", context)


@requires("claims.submit")
def write(request: HttpRequest, code: str) -> HttpResponse:
    """/m/claims/new/<item>/: fill in; look at what it would bring; hand in. Three answers to one address."""
    target = whose(request)
    if target is None:
        return redirect("m_claim_for")
    row, rule = find_choice(person_of(request), target.household, code)
    entry = Entry(person_of(request), target.household, row, rule, "phone", on_behalf_of=target.on_behalf_of)
    entry.staff = may(person_of(request), "claims.field", target.household.place)
    back = reverse("m_claim_new") + target.query
    return handle(
        request,
        entry,
        faces=("claims/phone_form.html", "claims/phone_preview.html"),
        back=back,
        done="m_claim_done",
    )


def handle(
    request: HttpRequest, entry: Entry, *, faces: tuple[str, str], back: str, done: str, **more: object
) -> HttpResponse:
    """The three steps of writing a claim, for the face whose form and preview templates are given."""
    context: dict[str, object] = {
        "entry": entry,
        "label": label_of(entry.by, entry.household),
        "back": back,
        **more,
    }
    if request.method != "POST":
        return render(request, faces[0], {**context, "form": entry.form()})
    form = entry.form(request.POST, request.FILES)
    step = request.POST.get("step", "look")
    if form.is_valid() and step == "submit":
        claim = entry.hand_in(form)
        if claim is not None:
            place = [claim.place] if done.startswith("desk_") else []
            return redirect(done, *place, claim.pk)
    elif form.is_valid() and step == "look":
        seen = entry.look(form)
        if seen is not None:
            return render(request, faces[1], {**context, **preview_context(entry, form, seen)})
    if step == "edit":
        form = _unjudged(form, entry, request)
    return render(request, faces[0], {**context, "form": form}, status=200 if step == "edit" else 422)


def preview_context(entry: Entry, form: ClaimForm, seen: object) -> dict[str, object]:
    """What the page between shows: every value in words, and hidden for the next step."""
    data = form.cleaned_data
    facts = [("日期", f"{data['occurred_on']:%Y年%-m月%-d日}")]
    facts.append(("谁做的", data["resident"].name if data.get("resident") else "全家一起"))
    for name in ("quantity", "grade", "reminded_on", "heard", "text", "witness", "document"):
        if data.get(name):
            value = f"{data[name]:%Y年%-m月%-d日}" if name == "reminded_on" else data[name]
            facts.append((str(form.fields[name].label), value))
    hidden = [
        (name, value)
        for name, value in form.data.items()
        if name in form.fields and name not in ("photo", "photos") and value
    ]
    return {
        "form": form, "seen": seen, "facts": facts, "hidden": hidden, "tokens": form.tokens,
        "review_words": REVIEW_WORDS.get(getattr(seen, "review", "1"), ""),
    }  # fmt: skip


def _unjudged(form: ClaimForm, entry: Entry, request: HttpRequest) -> ClaimForm:
    """Back to the form with everything typed and no error shown."""
    values = {name: request.POST.get(name, "") for name in form.fields if name not in ("photo", "photos")}
    values["kept"] = " ".join(getattr(form, "tokens", []))
    again = entry.form(initial=values)
    again.tokens = getattr(form, "tokens", [])
    return again


@signed_in
def draft_photo(request: HttpRequest, token: str) -> HttpResponse:
    """A photo of a claim still being written, to the person who sent it."""
    return photo_response(fetch(person_of(request), token))


@signed_in
def photo(request: HttpRequest, evidence: UUID) -> HttpResponse:
    """/m/evidence/<id>.jpg: a stored photo, to people who may see its claim (F-03)."""
    found = access_evidence(person_of(request), evidence)
    return photo_response(open_photo(person_of(request), found, thumb=request.GET.get("small") == "1").data)


def photo_response(data: bytes) -> HttpResponse:
    return HttpResponse(
        data,
        content_type="image/jpeg",
        headers={
            "X-Content-Type-Options": "nosniff",
            "Content-Disposition": "inline",
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )


@signed_in
def done(request: HttpRequest, claim: UUID) -> HttpResponse:
    """已收到，等待评议，编号 A-12 (U-15)."""
    found = access_claim(person_of(request), claim)
    context = {
        "sentence": f"已收到，{found.get_status_display()}，编号 {found}",
        "next": f"{word_for(found)}。{NEXT.get(found.review_needed, '')}",
        "url": reverse("m_claims"),
        "label": "看我的申报",
        "url2": reverse("m_claim_new"),
        "label2": "再报一件",
    }
    return render(request, "web/done.html", context)


@signed_in
def one(request: HttpRequest, claim: UUID) -> HttpResponse:
    """/m/claims/<id>/: the whole story in words, and what can be done now (U-63)."""
    user = person_of(request)
    found = access_claim(user, claim)
    belongs = found.submitted_by_id == user.pk or of_household(user, found.household_id)
    early = (Claim.Status.SUBMITTED, Claim.Status.RETURNED)
    item = parsed(found.book).item(found.item.code)
    return render(
        request,
        "claims/phone_claim.html",
        {
            "claim": found,
            "item": item,
            "story": claim_story(found, user),
            "photos": [row for row, _ in evidence_of(found) if row.file_name],
            "label": label_of(user, found.household),
            "may_withdraw": belongs and found.status in early,
            "may_resubmit": belongs and found.status == Claim.Status.RETURNED,
            "line": getattr(found, "line", None),
        },
    )


@signed_in
def withdraw(request: HttpRequest, claim: UUID) -> HttpResponse:
    """Take a claim back, after a question."""
    found = access_claim(person_of(request), claim)
    error: ZhiliError | None = None
    if request.method == "POST":
        try:
            withdraw_claim(by=person_of(request), claim=found, reason=request.POST.get("reason", "")[:200])
            return render_withdrawn(request, found)
        except ClaimError as refused:
            error = refused
    return render(request, "claims/phone_withdraw.html", {"claim": found, "error": error})


def render_withdrawn(request: HttpRequest, claim: Claim) -> HttpResponse:
    return redirect("m_claim_withdrawn", claim.pk)


@signed_in
def withdrawn(request: HttpRequest, claim: UUID) -> HttpResponse:
    """已撤回 (U-15)."""
    found = access_claim(person_of(request), claim)
    sentence = f"{found} {found.get_status_display()}"
    return render(
        request, "web/done.html", {"sentence": sentence, "url": reverse("m_claims"), "label": "看我的申报"}
    )


@signed_in
def again(request: HttpRequest, claim: UUID) -> HttpResponse:
    """Hand in again what was returned for more: the same form, filled with what was said."""
    user = person_of(request)
    found = access_claim(user, claim)
    if found.status != Claim.Status.RETURNED:
        return redirect("m_claim", found.pk)
    entry = Entry(user, found.household, found.item, parsed(found.book).item(found.item.code), found.channel)
    entry.staff = may(user, "claims.field", found.place)
    known = {
        "id": found.pk, "occurred_on": found.occurred_on, "quantity": found.quantity, "grade": found.grade,
        "text": found.text, "resident": str(found.resident_id or ""), "reminded_on": found.reminded_on, "heard": found.heard,
    }  # fmt: skip
    form = entry.form(request.POST, request.FILES) if request.method == "POST" else entry.form(initial=known)
    for fixed in ("occurred_on", "resident"):
        form.fields[fixed].disabled = True
    if request.method == "POST":
        form.initial = known
        if form.is_valid() and _resubmitted(request, found, form):
            return redirect("m_claim_done", found.pk)
    last = found.reviews.filter(decision="return").last()
    context = {
        "entry": entry, "form": form, "label": label_of(user, found.household), "claim": found,
        "asked": last.reason if last else "", "back": reverse("m_claim", args=[found.pk]),
    }  # fmt: skip
    return render(request, "claims/phone_again.html", context, status=422 if form.errors else 200)


def _resubmitted(request: HttpRequest, found: Claim, form: ClaimForm) -> bool:
    data = form.cleaned_data
    try:
        resubmit_claim(
            by=person_of(request),
            claim=found,
            quantity=data.get("quantity"),
            grade=data.get("grade"),
            text=data.get("text"),
            photos=[fetch(person_of(request), token) for token in form.tokens],
            witness=data.get("witness", ""),
            document=data.get("document", ""),
            reminded_on=data.get("reminded_on"),
            heard=data.get("heard"),
        )
    except ZhiliError as error:
        show_error(form, error)
        return False
    return True


urlpatterns = [
    path("claims/", mine, name="m_claims"),
    path("claims/new/", new, name="m_claim_new"),
    path("claims/for/", for_whom, name="m_claim_for"),
    path("claims/new/<str:code>/", write, name="m_claim_form"),
    path("claims/photo/<str:token>.jpg", draft_photo, name="m_claim_draft_photo"),
    path("claims/<uuid:claim>/", one, name="m_claim"),
    path("claims/<uuid:claim>/done/", done, name="m_claim_done"),
    path("claims/<uuid:claim>/withdraw/", withdraw, name="m_claim_withdraw"),
    path("claims/<uuid:claim>/withdrawn/", withdrawn, name="m_claim_withdrawn"),
    path("claims/<uuid:claim>/again/", again, name="m_claim_again"),
    path("evidence/<uuid:evidence>.jpg", photo, name="evidence_photo"),
]
