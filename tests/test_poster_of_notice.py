"""What the notice says is what the poster prints (U-32): the plain data fits the paper as it is."""

from __future__ import annotations

import time_machine

from tests.books import make_book
from tests.month import approved, deduction
from zhili.notices.actions import open_notice
from zhili.notices.queries import poster_data
from zhili.web.print.poster import Poster, PosterLine, poster_pdf


def test_a_notice_with_a_deduction_prints(cast):
    """M-09: the deduction is on the board without a name, and the press does not refuse it."""
    with time_machine.travel("2026-10-25 10:00:00+08:00", tick=False):
        make_book(cast)
        approved(cast)
        deduction(cast)
    with time_machine.travel("2026-11-02 09:00:00+08:00", tick=False):
        data = poster_data(open_notice(by=cast.clerk, place=cast.place, period="2026-10"))
    lines = [PosterLine(**line) for line in data.pop("lines")]
    assert [(line.name_masked, line.points) for line in lines] == [("演**", "+2"), ("", "-5")]
    assert poster_pdf(Poster(**data, lines=lines)).startswith(b"%PDF")
