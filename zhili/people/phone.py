"""我的一户 on the phone: who is in it, the card's number, who acts for us. And the card's own address."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.common.errors import NotFound
from zhili.common.policy import may, signed_in
from zhili.people import actions, forms
from zhili.people.access import access_delegation, person_of
from zhili.people.desk import posted, saved
from zhili.people.models import Delegation, Household
from zhili.people.queries import delegations_for, members


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


@signed_in
def card(request: HttpRequest, token: str) -> HttpResponse:
    """What a scanned card opens: field workers go on to what that household did, other staff to its page at the desk,
    its own people to theirs (N-07).

    It identifies, it does not authenticate: a stranger's card, a replaced one and nonsense look the same.
    """
    user = person_of(request)
    found = Household.objects.filter(card_token=token).first() if len(token) == 22 else None
    if found is not None and user.resident is not None and user.resident.household_id == found.pk:
        return redirect("m_household")
    if found is None or not may(user, "people.see_households", found):
        raise NotFound("没有这张卡。")
    if may(user, "claims.field", found.place):
        return redirect("m_field_household", found.pk)
    return redirect("desk_household", found.place, found.pk)


urlpatterns = [
    path("household/", household, name="m_household"),
    path("delegations/", delegations, name="m_delegations"),
    path("delegations/<uuid:delegation_id>/end/", revoke, name="m_delegation_end"),
    path("card/<str:token>/", card, name="m_card"),
]
