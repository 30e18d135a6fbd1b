"""How a claim is written on any face: choose the item, fill in, look at what it would bring, hand in.

One flow for the villager's phone, field work and the desk, so that the three cannot drift apart. Nothing typed
is lost on the way: the page between carries every value and the tokens of the photos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, Final

import rules
from django.db.models import Count
from django.http import QueryDict

from zhili.claims.checking import Desk, Draft
from zhili.claims.errors import ClaimError
from zhili.claims.forms import ClaimForm
from zhili.claims.models import Claim
from zhili.claims.queries import claimable_items
from zhili.claims.scoring import Preview, preview
from zhili.claims.stash import fetch
from zhili.claims.submitting import submit_claim
from zhili.common.errors import ZhiliError
from zhili.common.forms import show_error
from zhili.common.masking import mask_name
from zhili.common.periods import today
from zhili.common.points import format_points, format_signed
from zhili.common.policy import may
from zhili.people.models import Household, Resident, User
from zhili.people.queries import head_names, members
from zhili.rulebook import book as format_1
from zhili.rulebook.models import Item

EVIDENCE_WORDS: Final = {
    "none": "不用佐证", "witness": "要有证明人", "photo": "要有照片", "document": "要有材料",
}  # fmt: skip
REVIEW_WORDS: Final = {"1": "一人评议", "2": "两人评议", "council": "议事会评定"}
USED_DAYS: Final = 120


@dataclass(slots=True)
class Entry:
    """What is being written: by whom, for which household, which item, over which channel."""

    by: User
    household: Household
    item: Item
    rule: format_1.Item
    channel: str
    staff: bool = False
    on_behalf_of: Resident | None = None

    def form(
        self, data: QueryDict | None = None, files: Any = None, initial: Mapping[str, Any] | None = None
    ) -> ClaimForm:
        """The form that asks what this item needs."""
        return ClaimForm(
            data,
            files,
            initial=dict(initial or {}),
            by=self.by,
            item=self.rule,
            members=members(self.household),
            by_resident=self.item.book.unit == "resident",
            staff=self.staff,
        )

    def draft(self, form: ClaimForm) -> Draft:
        """What the form says, as the action takes it."""
        data = form.cleaned_data
        return Draft(
            id=data["id"],
            household=self.household,
            item=self.rule.code,
            occurred_on=data["occurred_on"],
            channel=self.channel,
            resident=data.get("resident"),
            quantity=data.get("quantity"),
            grade=data.get("grade", ""),
            text=data.get("text", ""),
            photos=tuple(fetch(self.by, token) for token in form.tokens),
            witness=data.get("witness", ""),
            document=data.get("document", ""),
            on_behalf_of=self.on_behalf_of,
            reminded_on=data.get("reminded_on"),
            heard=data.get("heard", ""),
        )

    def look(self, form: ClaimForm) -> Preview | None:
        """What it would bring and why, if it can be taken as it is; None with the refusal in the form."""
        data = form.cleaned_data
        try:
            Desk(self.by, self.household.place, [self.household]).check(self.draft(form))
            return preview(
                self.household.place,
                self.household,
                data.get("resident"),
                self.rule.code,
                data["occurred_on"],
                data.get("quantity"),
                data.get("grade", ""),
            )
        except ZhiliError as error:
            show_error(form, error)
            return None

    def hand_in(self, form: ClaimForm) -> Claim | None:
        """Hand in; None with the refusal in the form."""
        try:
            return submit_claim(
                by=self.by, **{one.name: getattr(self.draft(form), one.name) for one in fields(Draft)}
            )
        except ZhiliError as error:
            show_error(form, error)
            return None


@dataclass(slots=True)
class Choice:
    """One item to choose from, in words a villager reads."""

    row: Item
    rule: format_1.Item
    points: str
    evidence: str
    deducts: bool = False


@dataclass(slots=True)
class Shelf:
    """Items of one category."""

    title: str
    choices: list[Choice] = field(default_factory=list)


def shelves(by: User, household: Household, search: str = "") -> list[Shelf]:
    """Items `by` may claim for this household today, by category; `search` narrows them."""
    found: dict[str, Shelf] = {}
    for row, rule in claimable_items(by, household, today()):
        if (
            search
            and search not in row.title
            and search.upper() not in row.code
            and search not in row.category_title
        ):
            continue
        shelf = found.setdefault(row.category_code, Shelf(row.category_title))
        shelf.choices.append(choice_of(row, rule))
    return list(found.values())


def choice_of(row: Item, rule: format_1.Item) -> Choice:
    return Choice(row, rule, points_words(rule), EVIDENCE_WORDS[rule.effective_evidence], rule.is_deduction)


def points_words(rule: format_1.Item) -> str:
    """How an item's points read on a button: 加 2 分; 每 100 元 1 分; 1 至 20 分."""
    shape = rule.points
    if isinstance(shape, format_1.Fixed):
        return f"{format_signed(shape.points)} 分"
    if isinstance(shape, format_1.PerUnit):
        per = "" if shape.per == 1 else f" {shape.per.normalize():f} "
        return f"每{per}{shape.of} {format_signed(shape.each)} 分"
    if isinstance(shape, format_1.Range):
        return f"{format_points(shape.min)} 至 {format_points(shape.max)} 分"
    values = (
        list(shape.grades.values()) if isinstance(shape, format_1.Grades) else [t.points for t in shape.tiers]
    )
    return f"{format_points(min(values))} 至 {format_points(max(values))} 分"


def find_choice(by: User, household: Household, code: str) -> tuple[Item, format_1.Item]:
    """The item to be claimed, if this person may claim it here. Raises ClaimError."""
    for row, rule in claimable_items(by, household, today()):
        if rule.code == code:
            return row, rule
    raise ClaimError(
        "现在不能申报这个项目", field="item", hint="细则可能换了新版，或这一项由别人来报。请重新选择。"
    )


def most_used(place: str, choices: Sequence[Choice], limit: int = 6) -> list[Choice]:
    """The items this village enters most, of those given; the book's first where it has entered few."""
    since = today() - timedelta(days=USED_DAYS)
    rows = Claim.objects.filter(place=place, occurred_on__gte=since).values_list("item__code")
    counts = dict(rows.annotate(count=Count("pk")).order_by("-count")[:50])
    ranked = sorted(choices, key=lambda one: -counts.get(one.rule.code, 0))
    return [one for one in ranked if not one.deducts][:limit]


def one_tap(choice: Choice) -> bool:
    """Whether the item needs nothing but a tap from a clerk who was there."""
    rule = choice.rule
    fixed = isinstance(rule.points, (format_1.Fixed, format_1.Range)) and not rule.deducts
    return fixed and rule.effective_evidence in ("none", "witness")


def label_of(by: User, household: Household) -> str:
    """1组 1001 户 演示乙: a household as `by` may see it; its head's name masked for a neighbour."""
    name = head_names(household.place, [household.pk]).get(household.pk, "")
    known = rules.has_perm("people.see_household", by, household) or may(
        by, "claims.see_village", household.place
    )
    return " ".join(
        part for part in (household.group, f"{household.code} 户", name if known else mask_name(name)) if part
    )


def word_for(claim: Claim) -> str:
    """已记：演示乙 清扫公路 2 分. What was entered, in one line."""
    name = (
        claim.resident.name
        if claim.resident
        else head_names(claim.place, [claim.household_id]).get(claim.household_id, "")
    )
    try:
        seen = preview(
            claim.place,
            claim.household,
            claim.resident,
            claim.item.code,
            claim.occurred_on,
            claim.quantity,
            claim.grade,
        )
    except ZhiliError:
        seen = None
    score = "（由评议定分）" if seen is None or seen.points is None else f"{format_points(seen.points)} 分"
    return f"{name or claim.household.code} {claim.item.title} {score}"
