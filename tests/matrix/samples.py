"""What the matrix puts into addresses, queries and bodies. A new kind of URL parameter fails it until it stands here.

A parameter named like a model (`claim`, `claim_id`, `household`) needs nothing: the first row of the village is used.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from allauth.mfa.models import Authenticator

from zhili.claims.models import Evidence, Sheet
from zhili.common.clock import now
from zhili.common.periods import period_of, today
from zhili.ledger.models import Transfer
from zhili.people.models import Membership
from zhili.privacy.golive import summary

# URL parameter → its value in a village.
PARAMETERS: dict[str, Callable[[SimpleNamespace], Any]] = {
    "place": lambda v: v.place,
    "claim": lambda v: v.claim.pk,
    "notice": lambda v: v.notice.pk,
    "line": lambda v: v.notice.lines.order_by("position").first().pk,
    "household": lambda v: v.household.pk,
    "resident": lambda v: v.head.resident.pk,
    "book": lambda v: v.book.pk,
    "objection": lambda v: v.objection.pk,
    "membership": lambda v: Membership.objects.filter(place=v.place).order_by("pk").first().pk,
    "evidence": lambda v: (
        Evidence.objects.filter(place=v.place).exclude(file_name="").order_by("pk").last().pk
    ),
    "transfer": lambda v: Transfer.objects.filter(place=v.place).order_by("seq", "index").first().pk,
    "token": lambda v: v.household.card_token,
    "card": lambda v: v.household.card_token,
    "number": lambda v: v.notice.number,
    "position": lambda v: 1,
    "part": lambda v: 1,
    "version": lambda v: v.book.version,
    "verb": lambda v: "away",
    "kind": lambda v: "copy",
    "provider": lambda v: "weixin",
    "session": lambda v: uuid5(NAMESPACE_URL, v.place),  # one's own log-ins only: another's is nowhere
    "factor": lambda v: (
        Authenticator.objects.get_or_create(user=v.reviewer3, type="totp", defaults={"data": {}})[0].pk
    ),
    "starter": lambda v: "hygiene",
    "code": lambda v: "HJ01",
    "q": lambda v: "乔",
    "text": lambda v: "乔",
    "name": lambda v: "乔",
    "period": lambda v: v.posted.period,
    "month": lambda v: "2026-01",
    "sheet_number": lambda v: Sheet.objects.filter(place=v.place).order_by("number").first().number,
    "next": lambda v: f"/desk/{v.place}/",
}

# URL parameter → the model whose row it names, where the name does not say so.
ALIASES = {"reversal": "reversalrequest", "upload": "importfile", "payout": "fundentry"}

# Table → the columns its constraints are particular about, where tests/matrix/scene.py cannot guess them.
ROWS: dict[str, Callable[[SimpleNamespace], dict[str, Any]]] = {
    # A shelf with its price list in force, a day announced and a question asked: what the open page shows says 公.
    "shop_shop": lambda v: {
        "title": f"{v.word}公超市",
        "address": f"{v.word}公",
        "hours": f"{v.word}公",
        "paused": f"{v.word}公",
    },
    "shop_good": lambda v: {
        "code": f"{v.word}公1",
        "title": f"{v.word}公皂",
        "category": f"{v.word}公",
        "unit": "块",
    },
    "shop_pricelist": lambda v: {
        "period": period_of(today(), "month").code,
        "starts": period_of(today(), "month").start,
        "ends": period_of(today(), "month").end,
    },
    "shop_price": lambda v: {"points": 250},
    "shop_stockcount": lambda v: {"lines": []},
    "shop_fairday": lambda v: {"groups": [f"{v.word}公"], "tally": {}},
    "shop_poll": lambda v: {"options": [{"code": n, "title": f"{v.word}密{n}"} for n in "123"]},
    "shop_pollanswer": lambda v: {"chosen": ["1"]},
    # A month that is signed: its sheet hangs out.
    "shop_reconciliation": lambda v: {
        "month": "2026-01",
        "note": f"{v.word}公",
        "status": "published",
        "published_at": now(),
        "figures": {
            "goods": [],
            "funds": [],
            "points": None,
            "books": {},
            "jumps": [],
            "differences": [],
            "more": 0,
        },
    },
    "shop_reconciliationnote": lambda v: {"text": f"{v.word}公"},
    # A list that hangs out, with one household on it, and a goal that runs: what their public pages show says 公.
    "honours_honourscheme": lambda v: {
        "title": f"{v.word}公",
        "basis": f"{v.word}公",
        "basis_number": f"{v.word}公",
        "levels": [100],
    },
    "honours_honourlist": lambda v: {
        "number": v.notice.number,
        "period": "2026-H1",
        "status": "published",
        "decided_by": f"{v.word}公",
        "decided_on": today(),
        "shown_from": today(),
        "shown_to": today(),
    },
    "honours_honourentry": lambda v: {"group": "1组", "household_code": v.household.code, "stars": 1},
    "honours_groupgoal": lambda v: {
        "group": "1组",
        "period": period_of(today(), "year").code,
        "share": 50,
        "title": f"{v.word}公",
        "reward": f"{v.word}公",
        "basis": f"{v.word}公",
    },
    # Keyed in by somebody, so that its pages show a sheet in the middle of its way.
    "claims_sheet": lambda v: {"period": v.posted.period, "kind": "household", "status": "keyed"},
    # The shape its pages read; of a village that has answered nothing yet.
    "privacy_assessment": lambda v: {
        "covers": [],
        "register": summary(),
        "answers": {"subjects": {}, "conclusion": f"{v.word}密"},
    },
    # Lifted, so that the village goes on posting.
    "ledger_alarm": lambda v: {"lifted_at": now(), "lifted_by": v.supervisor, "reason": f"{v.word}密"},
}
