"""The counter's pages for both machines: each takes the Counter that desk_counter.py or phone_counter.py made."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.periods import today
from zhili.ledger.queries import balances
from zhili.ledger.receipts import receipt_code
from zhili.people.queries import head_names
from zhili.shop.access import access_order
from zhili.shop.errors import ShopError
from zhili.shop.models import Order
from zhili.shop.money import SPEND
from zhili.shop.ordering import Visit, cancel, hand_over
from zhili.shop.proof_form import ProofForm, drop_photo, proof_from
from zhili.shop.proofs import NO_PROOF, check_proof, lives_in, proof_needed
from zhili.shop.queries import find_waiting
from zhili.shop.reversing import transfer_of
from zhili.shop.serving import (
    Counter,
    aside,
    card_name,
    collector_of,
    confirm,
    done_already,
    find,
    forget,
    household_at,
    look,
    purses_of,
    put_aside,
    taken_up,
    visit_url,
)
from zhili.shop.visit_form import Typed, typed_from

RECENT = 5


def card_page(request: HttpRequest, counter: Counter) -> HttpResponse:
    """Step 1: scan or type. What was put aside and what was just done stand below."""
    text = request.GET.get("q", "").replace("\x00", "").strip()[:300]
    found = find(counter, text) if text and counter.shop else None
    if found is not None and found.household is not None:
        return redirect(visit_url(counter, found.household))
    if request.method == "POST":  # 不要了
        key = request.POST.get("forget", "")
        for one in aside(request):
            if one["id"] == key:
                forget(request, UUID(key))
        return redirect(counter.url("counter"))
    mine = Order.objects.filter(handed_by=counter.user, on=today(), status=Order.Status.HANDED_OVER)
    mine = mine.filter(shop__in=[one.pk for one in counter.shops])
    context = {
        "q": text if found and found.words and "/" not in text else "", "found": found,
        "aside": [{**one, "url": _aside_url(counter, one)} for one in aside(request)],
        "recent": mine.select_related("household").order_by("-ended_at")[:RECENT], "count": mine.count(),
        "waiting": _waiting(counter).count(),
    }  # fmt: skip
    return render(
        request,
        "shop/counter.html",
        _steps(counter, context, 1),
        status=422 if found and found.words else 200,
    )


def visit_page(request: HttpRequest, counter: Counter, household: UUID) -> HttpResponse:
    """Steps 2 and 3: goods, then confirm. The key comes with the address and stays until the last page."""
    home = household_at(counter, household)
    if counter.shop is None:
        return redirect(counter.url("counter"))
    if request.method != "POST":
        asked = request.GET.get("id", "")
        typed = typed_from(counter, home, {**taken_up(request, asked), "id": asked})
        if Order.objects.filter(pk=typed.id, household=home).exists():
            return redirect(counter.url("counter_done", typed.id))
        typed.problems = []
        return _goods(request, counter, typed)
    typed, step = typed_from(counter, home, request.POST), request.POST.get("step", "")
    if step == "aside":
        put_aside(request, counter, typed)
        messages.success(request, f"{home.code} 户先放在一边，可以叫下一位了。单子留着，随时接着办。")
        return redirect(counter.url("counter"))
    if step == "change":
        return _goods(request, counter, typed)
    own = lives_in(counter.user, home)
    form = ProofForm(request.POST, request.FILES, by=counter.user, own=own) if step == "confirm" else None
    try:
        if form is not None:
            return redirect(counter.url("counter_done", confirm(request, counter, typed, form).pk))
        return _confirm(request, counter, typed, ProofForm(by=counter.user, own=own))
    except ZhiliError as error:
        made = done_already(typed, error)
        if made is not None:
            return redirect(counter.url("counter_done", made.pk))
        if form is not None and getattr(error, "word", "") in ("proof", "busy"):
            try:
                return _confirm(request, counter, typed, form, error)
            except ZhiliError as worse:  # the shelf changed while the PIN was being typed
                error = worse
        return _goods(request, counter, typed, error)


def _goods(
    request: HttpRequest, counter: Counter, typed: Typed, error: ZhiliError | None = None
) -> HttpResponse:
    shelves: dict[str, list[Any]] = {}
    for row in typed.rows:
        shelves.setdefault(row.good.category or "其他", []).append(row)
    purses = purses_of(typed.household)
    today_orders = Order.objects.filter(
        household=typed.household, on=today(), status=Order.Status.HANDED_OVER
    ).order_by("-ended_at")
    used = Order.objects.filter(pk=typed.id, household=typed.household).first() if error else None
    context = {
        "typed": typed, "home": typed.household, "name": card_name(typed.household),
        "shelves": list(shelves.items()), "purses": purses, "error": error, "before": list(today_orders[:3]),
        "waits": Order.objects.filter(household=typed.household, status=Order.Status.RESERVED).count(),
        "used_url": counter.url("counter_done", used.pk) if used else "",
        "open": bool(typed.is_proxy),
    }  # fmt: skip
    return render(
        request, "shop/counter_goods.html", _steps(counter, context, 2), status=422 if error else 200
    )


def _confirm(
    request: HttpRequest, counter: Counter, typed: Typed, form: ProofForm, error: ZhiliError | None = None
) -> HttpResponse:
    seen = look(counter, typed)
    context = {
        "typed": typed, "home": typed.household, "name": card_name(typed.household),
        "look": seen, "lines": [(line, line.points * line.quantity) for line in seen.lines],
        "form": form, "error": error, "collector": _collector_words(seen.collector, typed),
    }  # fmt: skip
    return render(
        request, "shop/counter_confirm.html", _steps(counter, context, 3), status=422 if error else 200
    )


def _collector_words(collector: Any, typed: Typed) -> str:
    if not typed.is_proxy:
        return ""
    return f"{collector.household.code} 户 · {typed.relation}" if collector is not None else typed.relation


def done_page(request: HttpRequest, counter: Counter, order: UUID) -> HttpResponse:
    """Step 4: in big words what was taken and what is left; the next customer is one key away."""
    made = _order(counter, order)
    if made.status != Order.Status.HANDED_OVER:  # cancelled, or taken back since
        desk = counter.face == "desk"
        return redirect(*(("desk_shop_order", made.place, made.pk) if desk else ("m_order", made.pk)))
    lines = list(made.lines.all())
    held = balances(made.place, [made.owner])[made.owner, SPEND]
    context = {
        "order": made, "lines": lines, "left": held.available,
        "code": receipt_code(transfer_of(made)), "slip": counter.url("order_slip", made.pk),
        "collector": made.collector_relation,
    }  # fmt: skip
    return render(request, "shop/counter_done.html", _steps(counter, context, 4))


# ---------------------------------------------------------------------------------------------------- picking up


def pick_up_page(request: HttpRequest, counter: Counter) -> HttpResponse:
    """Six digits, typed or scanned, lead to the order; the list below is for who forgot them."""
    text = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    digits = "".join(letter for letter in text.rpartition("=")[2] if letter.isdigit())[:8]
    words = ""
    if text:
        for shop in sorted(counter.shops, key=lambda one: one != counter.shop):
            order = find_waiting(shop, digits) if digits else None
            if order is not None and order.place.startswith(counter.place):
                return redirect(counter.url("pick_up_order", order.pk))
        words = _no_such_code(counter, digits)
    rows = list(_waiting(counter)[:50])
    names: dict[Any, str] = {}
    for place in {row.place for row in rows}:
        names |= head_names(place, [row.household_id for row in rows if row.place == place])
    context = {**_frame(counter), "q": digits, "words": words,
               "rows": [(row, names.get(row.household_id, "")) for row in rows]}  # fmt: skip
    return render(request, "shop/pick_up.html", context, status=422 if words else 200)


def _no_such_code(counter: Counter, digits: str) -> str:
    if len(digits) != 6:
        return "取货码是 6 位数字，请再输一遍。"
    old = Order.objects.filter(shop__in=[one.pk for one in counter.shops], pick_up_code=digits)
    last = old.order_by("-made_at").first()
    if last is not None:
        return f"取货码 {digits} 的单子{last.get_status_display()}，不能再领。"
    return f"没有取货码 {digits}，请让对方再念一遍，或在下面的名单里找。"


def _waiting(counter: Counter) -> Any:
    rows = Order.objects.filter(shop__in=[one.pk for one in counter.shops], status=Order.Status.RESERVED)
    return rows.select_related("household", "shop").order_by("expires_on", "number")


def pick_up_order_page(request: HttpRequest, counter: Counter, order: UUID) -> HttpResponse:
    """One order that waits: hand over, or say what is wrong and give the points back."""
    found = _order(counter, order)
    if found.status == Order.Status.HANDED_OVER:
        return redirect(counter.url("counter_done", found.pk))
    own = lives_in(counter.user, found.household)
    typed = Typed(found.pk, found.household, counter.fair)
    form, error = ProofForm(by=counter.user, own=own), None
    if request.method == "POST":
        typed.proxy, typed.collector = (
            request.POST.get("proxy", "")[:1],
            request.POST.get("collector", "").strip()[:20],
        )
        typed.relation = request.POST.get("relation", "").strip()[:20]
        form = ProofForm(request.POST, request.FILES, by=counter.user, own=own)
        try:
            if request.POST.get("step") == "cancel":
                cancel(by=counter.user, order=found, reason=_reason(request))
                messages.success(
                    request, f"{found} 已取消，{found.household.code} 户的积分退回，货也放回去了。"
                )
                return redirect(counter.url("pick_up"))
            return redirect(counter.url("counter_done", _hand(counter, found, typed, form).pk))
        except ZhiliError as refused:
            error = refused
            found = _order(counter, order)
            if found.status == Order.Status.HANDED_OVER:
                return redirect(counter.url("counter_done", found.pk))
    context = {
        **_frame(counter), "order": found, "lines": list(found.lines.select_related("good")), "form": form,
        "error": error, "name": card_name(found.household), "typed": typed, "own": own,
        "why": proof_needed(counter.user, found.household, found.points, proxy=typed.is_proxy),
        "open": typed.is_proxy,
        "reason": request.POST.get("reason", ""), "waits": found.status == Order.Status.RESERVED,
    }  # fmt: skip
    return render(request, "shop/pick_up_order.html", context, status=422 if error else 200)


def _reason(request: HttpRequest) -> str:
    reason = request.POST.get("reason", "").strip()
    if len(reason) < 2:
        raise ShopError("请写取消的原因", field="reason", hint="例如：货坏了、不要了。")
    return reason


def _hand(counter: Counter, order: Order, typed: Typed, form: ProofForm) -> Order:
    collector = collector_of(counter, typed)
    why = proof_needed(counter.user, order.household, order.points, proxy=typed.is_proxy)
    proof = proof_from(form, counter.user, order.household) if why else NO_PROOF
    check_proof(counter.user, order.household, order.points, proof, proxy=typed.is_proxy)
    visit = Visit(
        collector=collector,
        relation=typed.relation if typed.is_proxy else "",
        proof=proof,
        fair_day=typed.fair,
    )
    try:
        return hand_over(by=counter.user, order=order, visit=visit)
    except ZhiliError:
        drop_photo(order.household, proof)
        raise


def _order(counter: Counter, key: UUID) -> Order:
    found = access_order(counter.user, key)
    if found.shop_id not in {one.pk for one in counter.shops}:
        raise NotFound("没有这张兑换单。")
    return found


def _aside_url(counter: Counter, one: dict[str, Any]) -> str:
    return f"{counter.url('counter_visit', one['household'])}?{urlencode({'id': one['id'], 'shop': one['shop']})}"


def _steps(counter: Counter, context: dict[str, Any], now: int) -> dict[str, Any]:
    """The four steps as the page's head shows them."""
    titles = ("认卡", "选物品", "核对", "完成")
    return {
        **_frame(counter), **context, "steps": [(n, title, n == now, n < now) for n, title in enumerate(titles, start=1)],
    }  # fmt: skip


def _frame(counter: Counter) -> dict[str, Any]:
    """What every page of the counter needs to stand in its face."""
    return {
        "counter": counter, "home_url": counter.url("counter"), "counter_url": counter.url("counter"),
        "pick_up_url": counter.url("pick_up"), "base": counter.base, "desk": counter.face == "desk",
        "place": counter.place,
    }  # fmt: skip


__all__ = ["card_page", "done_page", "pick_up_order_page", "pick_up_page", "visit_page"]
