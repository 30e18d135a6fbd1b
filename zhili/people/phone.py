"""我的一户 on the phone: who is in it, the card's number, who acts for us. And the card's own address."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.periods import today
from zhili.common.policy import may, reauthenticated, signed_in
from zhili.people import actions, forms
from zhili.people.access import access_delegation, person_of
from zhili.people.cards import old_card
from zhili.people.consent_actions import answer_consents
from zhili.people.consent_purposes import current
from zhili.people.consents import consents_of, outstanding, purposes_for
from zhili.people.desk import posted, saved
from zhili.people.errors import PeopleError
from zhili.people.models import Delegation, Household, Resident, User
from zhili.people.queries import LIVE, delegations_for, members


@signed_in
def household(request: HttpRequest) -> HttpResponse:
    """The own household: people, card number, state."""
    user = person_of(request)
    found = user.resident.household if user.resident else None
    people = members(found) if found else []
    return render(request, "people/m_household.html", {"household": found, "people": people})


@signed_in
def delegations(request: HttpRequest) -> HttpResponse:
    """Who acts for me, for whom I act; and giving somebody the right to."""
    user = person_of(request)
    own = user.resident
    form = forms.DelegationForm(posted(request))
    form.fields.pop("paper_number")
    if own is not None and saved(
        request, form, lambda: actions.delegate(by=user, principal=own, **form.cleaned_data)
    ):
        messages.success(request, f"已委托{form.cleaned_data['delegate']}代办，随时可以撤销。")
        return redirect("m_delegations")
    acting = Delegation.objects.filter(delegate=user).select_related("principal", "delegate")
    context = {
        "form": form,
        "own": own,
        "given": delegations_for([own]) if own else [],
        "taken": list(acting.order_by("-valid_to")[:50]),
    }
    return render(request, "people/m_delegations.html", context)


@signed_in
def revoke(request: HttpRequest, delegation_id: UUID) -> HttpResponse:
    """撤销, by the principal or by who acts."""
    user = person_of(request)
    given = access_delegation(user, delegation_id)
    if user.resident_id != given.principal_id and user.pk != given.delegate_id:
        raise NotFound("没有这条代办。")
    form = forms.ConfirmForm(posted(request))
    if saved(request, form, lambda: actions.revoke_delegation(by=user, delegation=given)):
        messages.success(request, "已撤销，马上生效。")
        return redirect("m_delegations")
    return render(request, "people/m_delegation_end.html", {"given": given, "form": form})


def _consents(request: HttpRequest, resident_id: UUID | None = None) -> HttpResponse:
    """我的授权: every purpose with its two buttons; one tap answers, one tap takes it back (P-04).

    With an id: of a child of the own household, or of somebody who delegated everything to me.
    """
    user = person_of(request)
    own = user.resident
    others = _answers_for(user)
    one = own if resident_id is None else next((other for other in others if other.pk == resident_id), None)
    if resident_id is not None and one is None:
        raise NotFound("没有这个人。")
    if one is not None and request.method == "POST":
        agreed = request.POST.get("agreed") == "1"
        try:
            with transaction.atomic():
                made = answer_consents(
                    by=user, resident=one, answers={request.POST.get("purpose", ""): agreed}, channel="phone"
                )
            if made:
                messages.success(
                    request, "已记下：同意。随时可以撤回。" if agreed else "已记下：不同意，马上生效。"
                )
        except ZhiliError as error:
            messages.error(request, str(error))
        return redirect(request.path)
    standing = consents_of(one.place, [one.pk]) if one else {}
    open_codes = {purpose.code for purpose in outstanding(one)} if one else set()
    rows = [
        {"purpose": purpose, "now": standing.get((one.pk, purpose.code)), "again": purpose.code in open_codes}
        for purpose in (purposes_for(one) if one else ())
        if one is not None
    ]
    context = {
        "one": one,
        "own": one == own,
        "rows": rows,
        "others": others if one == own else [],
        "version": current(),
    }
    return render(request, "people/m_consents.html", context)


_consents_proved = reauthenticated(_consents)


@signed_in
def consents(request: HttpRequest, resident_id: UUID | None = None) -> HttpResponse:
    """我的授权. A yes that hands money matters or a certificate to others asks once more who it is (N-09); a no never
    does."""
    weighty = (
        request.POST.get("purpose") in ("bank_account", "share_credit") and request.POST.get("agreed") == "1"
    )
    return (_consents_proved if weighty else _consents)(request, resident_id)


def _answers_for(user: User) -> list[Resident]:
    """The children of the own household and the people who delegated everything to this person today."""
    day = today()
    given = Delegation.objects.filter(
        delegate=user, scope="all", revoked_on=None, valid_from__lte=day, valid_to__gte=day
    ).select_related("principal__household")
    found = [one.principal for one in given if not one.principal.is_minor() and one.principal.status in LIVE]
    if user.resident is not None and not user.resident.is_minor():
        found += [one for one in members(user.resident.household) if one.is_minor()]
    return found


@signed_in
def card(request: HttpRequest, token: str) -> HttpResponse:
    """What a scanned card opens: field workers go on to what that household did, other staff to its page at the desk,
    its own people to theirs (N-07).

    It identifies, it does not authenticate: a stranger's card, a replaced one and nonsense look the same.
    """
    user = person_of(request)
    found = Household.objects.filter(card_token=token).first() if len(token) == 22 else None
    if found is None:
        _say_old_card(user, token)
    if found is not None and user.resident is not None and user.resident.household_id == found.pk:
        return redirect("m_household")
    if found is None or not may(user, "people.see_households", found):
        raise NotFound("没有这张卡。")
    if may(user, "claims.field", found.place):
        return redirect("m_field_household", found.pk)
    return redirect("desk_household", found.place, found.pk)


def _say_old_card(user: User, token: str) -> None:
    """Those who work with the village's cards are told that this one was replaced; nobody else learns anything."""
    for place in sorted({held.place for held in user.memberships_today if len(held.place) == 12}):
        if may(user, "people.see_households", place) and (words := old_card(place, token)):
            raise PeopleError(words)


urlpatterns = [
    path("household/", household, name="m_household"),
    path("delegations/", delegations, name="m_delegations"),
    path("delegations/<uuid:delegation_id>/end/", revoke, name="m_delegation_end"),
    path("consents/", consents, name="m_consents"),
    path("consents/<uuid:resident_id>/", consents, name="m_consents_of"),
    path("card/<str:token>/", card, name="m_card"),
]
