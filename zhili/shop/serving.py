"""The counter, step by step, whichever machine it stands on: card → goods → confirm → done (U-22, N-07, C-15).

desk_counter.py (keyboard) and phone_counter.py (one hand) are the same flow with other frames. The key of the visit is
made when the goods are first shown and travels through every step: sent twice, it is one redemption and the same last
page. What was typed comes back with every refusal; a visit that stalls is put aside, and the queue goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from zhili.audit.actions import record
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.ids import uuid7
from zhili.common.masking import mask_name
from zhili.common.periods import today
from zhili.common.points import format_points
from zhili.common.policy import may
from zhili.ledger.queries import balances
from zhili.people.access import person_of
from zhili.people.cards import old_card
from zhili.people.models import Household, Resident, User
from zhili.people.queries import find_by_card, head_names, head_of, members, tidy_code
from zhili.rulebook.queries import in_force, parsed
from zhili.shop.errors import ShopError
from zhili.shop.models import FairDay, Order, Shop
from zhili.shop.money import SPEND
from zhili.shop.ordering import Visit, redeem
from zhili.shop.proof_form import ProofForm, drop_photo, proof_from
from zhili.shop.proofs import check_proof, proof_needed
from zhili.shop.queries import shops_for
from zhili.shop.visit_form import Typed
from zhili.shop.wishes import PricedLine, check_quota, check_window, priced

ASIDE_MAX: Final = 10


@dataclass(slots=True)
class Counter:
    """Where this person serves now. face: "desk" or "m"; shops: every shop they may serve at; fair: the one running."""

    user: User
    place: str
    face: str
    shops: list[Shop]
    shop: Shop | None
    fair: FairDay | None = None

    @property
    def base(self) -> str:
        return "web/desk.html" if self.face == "desk" else "web/phone.html"

    def url(self, name: str, *args: Any) -> str:
        """The address of a step on this face."""
        return reverse(f"{self.face}_{name}", args=[self.place, *args] if self.face == "desk" else list(args))


def counter_at(request: HttpRequest, place: str, face: str) -> Counter:
    """The counter of a place. ?shop= chooses among several and is remembered; a form carries its own.

    Raises NotFound for who does not serve here.
    """
    user = person_of(request)
    if not may(user, "shop.serve", place):
        raise NotFound("没有这一页。")
    shops = [one for one in shops_for(place) if may(user, "shop.serve", one.place)]
    kept = str(request.session.get("counter_shop", ""))
    asked = request.POST.get("shop", "") or request.GET.get("shop", "") or kept
    shop = next((one for one in shops if str(one.pk) == asked), shops[0] if shops else None)
    if request.POST.get("shop") and (shop is None or str(shop.pk) != asked):
        raise NotFound("没有这个超市。")
    if shop is not None and request.GET.get("shop") == str(shop.pk):
        request.session["counter_shop"] = str(shop.pk)
    return Counter(user, place, face, shops, shop, running_fair(shop) if shop else None)


def running_fair(shop: Shop) -> FairDay | None:
    """The fair day that is open in this shop today: what is handed over now belongs to it."""
    return FairDay.objects.filter(shop=shop, on=today(), status=FairDay.Status.OPEN).first()


def visit_url(counter: Counter, household: Household) -> str:
    """Where a visit begins; its key is in the address, so that looking again is the same visit."""
    return f"{counter.url('counter_visit', household.pk)}?{urlencode({'id': str(uuid7())})}"


# ------------------------------------------------------------------------------------------------------ the card


@dataclass(frozen=True, slots=True)
class Found:
    """What a card or number led to. words: why to nobody."""

    household: Household | None = None
    several: tuple[Household, ...] = ()
    words: str = ""


def find(counter: Counter, text: str) -> Found:
    """The household of a scanned card or a typed number. A card that leads nowhere is written down (N-07)."""
    if len(counter.place) < 12:
        return _find_below(counter, text)
    household = find_by_card(counter.place, text)
    if household is None:
        return Found(words=_unknown(counter, text))
    return _usable(household)


def _find_below(counter: Counter, text: str) -> Found:
    """At a township's shop the same number may stand in several villages; a card is one household's alone."""
    token = text.rstrip("/").rpartition("/")[2]
    rows = Household.objects.filter(place__startswith=counter.place)
    found = list(rows.filter(card_token=token)[:1]) if len(token) == 22 else []
    found = found or list(rows.filter(code=tidy_code(text)).order_by("place")[:30])
    if not found:
        return Found(words=_unknown(counter, text))
    return _usable(found[0]) if len(found) == 1 else Found(several=tuple(found))


def _usable(household: Household) -> Found:
    if not household.is_open:
        return Found(words=f"{household.code} 户{household.get_status_display()}，不能再兑换。请核对户编号。")
    return Found(household)


def looks_like_card(text: str) -> bool:
    """Scanned, not typed: an address or a long token."""
    return "/" in text or len(text.strip()) >= 20


def _unknown(counter: Counter, text: str) -> str:
    if looks_like_card(text):
        record(
            "shop.card_refused", by=counter.user, place=counter.place, target=counter.shop or counter.place
        )
        unknown = "这张卡不能用：可能已经换过新卡，也可能不是本村的卡。请用新卡；没带的，核对本人后输户编号。"
        return old_card(counter.place, text) or unknown
    return f"没有“{text[:20]}”这一户，请看着卡再输一遍。"


def household_at(counter: Counter, key: UUID) -> Household:
    """A household this counter serves. Raises NotFound."""
    found = Household.objects.filter(pk=key, place__startswith=counter.place).first()
    if found is None or not may(counter.user, "shop.serve", found.place):
        raise NotFound("没有这一户。")
    return found


def card_name(household: Household) -> str:
    """What the counter sees of a name (A-05): 张*."""
    return mask_name(head_names(household.place, [household.pk]).get(household.pk, ""))


@dataclass(frozen=True, slots=True)
class Purse:
    """Whose points may pay. name: masked, empty for the household itself. points: available, hundredths."""

    owner: UUID
    name: str
    points: int

    @property
    def key(self) -> str:
        return str(self.owner)


def purses_of(household: Household) -> list[Purse]:
    """The household's purse; where the rule book counts by person, one for each person of it. Three statements."""
    book = in_force(household.place, today())
    if book is not None and parsed(book).unit == "resident":
        people = members(household)
        held = balances(household.place, [one.pk for one in people])
        return [Purse(one.pk, mask_name(one.name), held[one.pk, SPEND].available) for one in people]
    held = balances(household.place, [household.pk])
    return [Purse(household.pk, "", held[household.pk, SPEND].available)]


# --------------------------------------------------------------------------------------------- looking, confirming


@dataclass(slots=True)
class Look:
    """The confirm page: what it costs, what is left, and why more than the card is asked for ("" if it is not)."""

    lines: Sequence[PricedLine]
    total: int
    purse: Purse
    why: str
    own: bool
    collector: Resident | None

    @property
    def after(self) -> int:
        return self.purse.points - self.total


def look(counter: Counter, typed: Typed) -> Look:
    """Everything that can be refused, said before anything moves. Raises ShopError."""
    assert counter.shop is not None
    if typed.problems:
        raise ShopError("单子上有要改的地方", hint="改好再点下一步。")
    check_window(counter.shop, typed.fair)
    lines = priced(counter.shop, typed.household, typed.wanted)
    total = sum(line.points * line.quantity for line in lines)
    check_quota(typed.fair, typed.household, total)
    purse = purse_of(typed)
    if total > purse.points:
        raise ShopError(
            f"积分不够：要 {format_points(total)} 分，能用的只有 {format_points(purse.points)} 分",
            hint="请减少一些，积分没有动。", word="short",
        )  # fmt: skip
    why = proof_needed(counter.user, typed.household, total, proxy=typed.is_proxy)
    own = counter.user.resident is not None and counter.user.resident.household_id == typed.household.pk
    return Look(lines, total, purse, why, own, collector_of(counter, typed))


def purse_of(typed: Typed) -> Purse:
    """The purse that pays: the only one, or the one that was chosen. Raises ShopError."""
    purses = purses_of(typed.household)
    if len(purses) == 1:
        return purses[0]
    chosen = next((one for one in purses if one.key == typed.owner), None)
    if chosen is None:
        raise ShopError("积分记在个人名下，请选用谁的积分", field="owner", hint="问清楚再选。")
    return chosen


def collector_of(counter: Counter, typed: Typed) -> Resident | None:
    """Who collects for somebody else: the head of the household whose number was typed. Raises ShopError."""
    if not typed.proxy:
        return None
    if not typed.relation:
        raise ShopError("请写清代领人是什么人", field="relation", hint="例如：女儿、邻居。")
    if not typed.collector:
        return None
    home = find(counter, typed.collector).household
    if home is None:
        raise ShopError(
            f"没有“{typed.collector}”这一户", field="collector", hint="代领人是外村的，户编号可以不填。"
        )
    if home.pk == typed.household.pk:
        raise ShopError(
            "这是本户自己的编号，自己家的人来领不算代领", field="collector", hint="请把“代领”去掉。"
        )
    return head_of(home)


def confirm(request: HttpRequest, counter: Counter, typed: Typed, form: ProofForm) -> Order:
    """Take points and hand over, once. A key that was used gives the order it made. Raises ZhiliError."""
    assert counter.shop is not None
    channel = Order.Channel.FAIR if typed.fair is not None else Order.Channel.COUNTER
    facts: dict[str, Any] = {
        "by": counter.user, "id": typed.id, "shop": counter.shop, "household": typed.household,
        "wanted": typed.wanted, "channel": channel,
    }  # fmt: skip
    if Order.objects.filter(pk=typed.id).exists():  # the answer was lost, or a second tap
        return redeem(**facts)
    seen = look(counter, typed)
    proof = proof_from(form, counter.user, typed.household) if seen.why else form.nothing
    check_proof(counter.user, typed.household, seen.total, proof, proxy=typed.is_proxy)
    visit = Visit(
        collector=seen.collector, relation=typed.relation if typed.is_proxy else "", proof=proof,
        fair_day=typed.fair,
    )  # fmt: skip
    try:
        made = redeem(**facts, visit=visit, owner=seen.purse.owner)
    except ZhiliError:
        drop_photo(typed.household, proof)
        raise
    forget(request, typed.id)
    return made


def done_already(typed: Typed, error: ZhiliError) -> Order | None:
    """After a refusal: the same key was answered by another request of this very moment."""
    if getattr(error, "word", "") == "key_used":
        return None
    return Order.objects.filter(pk=typed.id, household=typed.household).first()


# ----------------------------------------------------------------------------------------------------- put aside


def aside(request: HttpRequest) -> list[dict[str, Any]]:
    """Visits put aside in this log-in, oldest first."""
    kept = request.session.get("counter_aside", [])
    return kept if isinstance(kept, list) else []


def put_aside(request: HttpRequest, counter: Counter, typed: Typed) -> None:
    """Keep what was typed, without any secret, so that the queue goes on."""
    rest = [one for one in aside(request) if one["id"] != str(typed.id)]
    one = {"id": str(typed.id), "household": str(typed.household.pk), "code": typed.household.code,
           "shop": str(counter.shop.pk) if counter.shop else "",
           "fields": dict(typed.hidden), "kinds": len(typed.wanted)}  # fmt: skip
    request.session["counter_aside"] = [*rest, one][-ASIDE_MAX:]


def taken_up(request: HttpRequest, id: str) -> dict[str, str]:
    """What was typed into a visit that was put aside; empty where there is none."""
    return next((dict(one["fields"]) for one in aside(request) if one["id"] == id), {})


def forget(request: HttpRequest, id: UUID) -> None:
    rest = [one for one in aside(request) if one["id"] != str(id)]
    if len(rest) != len(aside(request)):
        request.session["counter_aside"] = rest
