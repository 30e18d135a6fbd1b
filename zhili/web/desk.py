"""/desk/<place>/: the first page of the office says what is owed today."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.claims.queries import waiting_counts
from zhili.common.errors import NotAllowed
from zhili.common.periods import today
from zhili.common.policy import signed_in
from zhili.ledger.queries import latest_head
from zhili.people.models import User
from zhili.people.queries import counts
from zhili.rulebook.queries import in_force
from zhili.web import navigation, overview, shell


@signed_in
def today_page(request: HttpRequest, place: str) -> HttpResponse:
    """今天: duties first, by whom and by when; then the month's flow; then a year in three charts."""
    user = request.user
    assert isinstance(user, User)
    roles = (*navigation.VILLAGE_WORK, *navigation.ABOVE, *navigation.KEEPERS)
    counter = navigation.address("desk_counter", place)
    if counter and not user.has_role(*roles, place=place) and user.has_role(*navigation.SERVES, place=place):
        return redirect(counter)  # a shopkeeper's day begins at the counter
    if not user.has_role(*roles, place=place):
        raise NotAllowed("您的身份不能打开办公页面。")
    if len(place) == 12:
        request.session[shell.PLACE_KEY] = place
    if not user.has_role(*navigation.VILLAGE_WORK, *navigation.ABOVE, place=place):
        # Keepers of the system see their own pages, none of the village's business.
        return render(request, "web/today_keeper.html", {"groups": navigation.desk_groups(user, place, "")})
    people, waiting, book = counts(place), waiting_counts(place), in_force(place, today())
    pictures = overview.charts(place)
    return render(
        request,
        "web/today.html",
        {
            "day": today(),
            "owed": overview.owed(place, user),
            "steps": overview.first_steps(
                place,
                households=people["households"],
                book=book is not None,
                claims=bool(waiting or pictures),
            ),
            "stats": overview.stats(place, waiting, user),
            "charts": pictures,
            "people": people,
            "book": book,
            "head": latest_head(place),
        },
    )


urlpatterns = [path("<str:place>/", today_page, name="desk_today")]
