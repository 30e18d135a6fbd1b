"""核查提示 at the desk: for those who watch, with the lines behind each and the room for what they found."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.policy import may, requires
from zhili.people.models import User
from zhili.shop.flags import RULES, WINDOW_DAYS, Flag, flags, judge_flag
from zhili.shop.forms_money import FlagForm


@requires("shop.flags")
def shop_flags(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/flags/: patterns of the last three months; every one is for a person to look into."""
    user = request.user
    assert isinstance(user, User)
    if not may(user, "shop.flags", place) or len(place) != 12:
        raise NotFound("没有这一页。")
    form = FlagForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = judge_flag(by=user, place=place, **form.cleaned_data)
            messages.success(request, f"已记下：{made.get_result_display()}。系统不会自动处理任何人。")
            return redirect("desk_shop_flags", place)
        except ZhiliError as error:
            show_error(form, error)
    found = flags(place)
    asked = (request.POST.get("rule"), request.POST.get("subject"))
    context = {
        "place": place, "may_judge": may(user, "shop.judge", place), "days": WINDOW_DAYS, "rules": list(RULES.values()),
        "open": [(flag, _form(flag, form, asked)) for flag in found if flag.open],
        "done": [flag for flag in found if not flag.open], "form": form,
    }  # fmt: skip
    return render(request, "shop/desk_flags.html", context, status=422 if form.errors else 200)


def _form(flag: Flag, sent: FlagForm, asked: tuple[str | None, str | None]) -> FlagForm:
    """What was typed stays with the flag it was typed for."""
    if sent.is_bound and asked == (flag.rule, flag.subject):
        return sent
    key = f"{flag.rule}-{flag.subject}"
    return FlagForm(initial={"rule": flag.rule, "subject": flag.subject}, auto_id=f"id_{key}_%s")


urlpatterns = [path("<str:place>/shop/flags/", shop_flags, name="desk_shop_flags")]
