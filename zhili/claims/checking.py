"""Whether a claim can be taken: who, for whom, what, when, with what behind it.

One `Desk` holds what a village's claims are checked against (books, settings, who the person is), read once;
then a single claim from a phone, a group's tick list and an Excel sheet of thousands all go through `check`.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from zhili.claims.access import can_submit, of_household
from zhili.claims.errors import ClaimError
from zhili.claims.models import Claim
from zhili.claims.photos import PHOTOS_MAX, Stored
from zhili.claims.scoring import event_of_item, find_item, measure, no_book
from zhili.common.errors import NotAllowed
from zhili.common.periods import period_of, today
from zhili.common.points import format_points
from zhili.ledger.queries import is_closed
from zhili.people.access import leads_group
from zhili.people.models import Household, Membership, Resident, User
from zhili.people.queries import active_delegation
from zhili.places.queries import village_settings
from zhili.rulebook import book as format_1
from zhili.rulebook.models import Item, RuleBook

TEXT_MAX: Final = 300
NAME_MAX: Final = 60
GRADE_MAX: Final = 20
QUANTITY_MAX: Final = Decimal(10) ** 9
STAFF: Final = (Membership.Role.CLERK, Membership.Role.GROUP_LEADER)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person hands in, before anything is checked. id: made by the client, the key for ever.

    photos: uploaded bytes. witness: who saw it. document: which paper, kept where. reminded_on, heard: for a
    deduction, when the household was reminded and what it said."""

    id: UUID
    household: Household
    item: str
    occurred_on: date
    channel: str
    resident: Resident | None = None
    quantity: Decimal | None = None
    grade: str = ""
    text: str = ""
    photos: tuple[bytes, ...] = ()
    witness: str = ""
    document: str = ""
    on_behalf_of: Resident | None = None
    activity: str = ""
    reminded_on: date | None = None
    heard: str = ""

    def digest(self, by: User) -> str:
        """Fingerprint of everything that was said and by whom: what "the same body" means (C-03)."""
        quantity = None if self.quantity is None else format(Decimal(self.quantity).normalize(), "f")
        body = [
            by.pk,
            str(self.household.pk),
            str(self.resident.pk) if self.resident else None,
            self.item,
            self.occurred_on.isoformat(),
            self.channel,
            quantity,
            self.grade,
            self.text,
            [hashlib.sha256(photo).hexdigest() for photo in self.photos],
            self.witness,
            self.document,
            str(self.on_behalf_of.pk) if self.on_behalf_of else None,
            self.activity,
            self.reminded_on.isoformat() if self.reminded_on else None,
            self.heard,
        ]
        return hashlib.sha256(json.dumps(body, ensure_ascii=False).encode()).hexdigest()


@dataclass(slots=True)
class Checked:
    """A draft that can be taken. raw: hundredths before caps, None where people set the points."""

    draft: Draft
    book: RuleBook
    item: Item
    raw: int | None
    review: str
    late: bool
    photos: list[Stored] = field(default_factory=list)


class Desk:
    """What claims of one village are checked against. About 5 queries however many claims follow."""

    def __init__(self, by: User, place: str, households: Iterable[Household]) -> None:
        self.by, self.place, self.today = by, place, today()
        self.settings = village_settings(place)
        self.households = Household.objects.in_bulk(list({household.pk for household in households}))
        self.books = list(RuleBook.objects.filter(place=place, status__in=["in_force", "superseded"]))
        self.items = {
            (item.book_id, item.code): item
            for item in Item.objects.filter(book__in=[b.pk for b in self.books])
        }
        self.is_clerk = by.has_role(Membership.Role.CLERK, place=place)
        self.is_staff = self.is_clerk or by.has_role(Membership.Role.GROUP_LEADER, place=place)
        self._closed: dict[str, bool] = {}

    def book_on(self, day: date) -> RuleBook:
        for book in self.books:
            if book.valid_from <= day and (book.valid_to is None or day < book.valid_to):
                return book
        raise no_book(day)

    def closed(self, day: date, book: RuleBook) -> bool:
        """Whether the books of the settlement period that holds the day are closed already (L-08)."""
        code = period_of(day, book.settlement).code
        if code not in self._closed:
            self._closed[code] = is_closed(self.place, code)
        return self._closed[code]

    def check(self, draft: Draft) -> Checked:
        """Everything that can be known before the claim is written. Raises ClaimError, NotAllowed."""
        household = self.household_of(draft)
        self._check_day(draft)
        book = self.book_on(draft.occurred_on)
        wanted = find_item(book, draft.item)
        roles = self.capacities(draft, household)
        self._check_claimant(wanted, roles)
        self._check_resident(draft, household, book)
        _check_lengths(draft)
        raw = self._raw(draft, household, book, wanted)
        value = wanted.size if raw is None else raw
        _check_evidence(wanted, value, draft, roles)
        if raw is not None and raw < 0:
            _check_reminder(draft)
        return Checked(
            draft=draft,
            book=book,
            item=self.items[book.pk, wanted.code],
            raw=raw,
            review=str(wanted.review_for(value)),
            late=self.closed(draft.occurred_on, book),
        )

    def household_of(self, draft: Draft) -> Household:
        """The household as it is now, open and of this village."""
        household = self.households.get(draft.household.pk)
        if household is None or household.place != self.place:
            raise ClaimError("没有找到这一户", field="household", hint="请核对户编号，或重新扫卡。")
        if not household.is_open:
            then = f"{household.closed_on:%Y年%-m月%-d日}" if household.closed_on else ""
            hint = "请联系村文书核对。"
            if household.successor_id and household.successor:
                hint = f"请改记到 {household.successor.code} 户。"
            raise ClaimError(
                f"{household.code} 户{then}{household.get_status_display()}，不能再记分",
                field="household",
                hint=hint,
            )
        return household

    def capacities(self, draft: Draft, household: Household) -> tuple[str, ...]:
        """As what the person may speak for this household: self, clerk, neighbour. Raises NotAllowed."""
        by = self.by
        if draft.on_behalf_of is not None:
            if draft.on_behalf_of.household_id != household.pk:
                raise ClaimError("委托人不是这一户的人", field="on_behalf_of", hint="请重新选择替谁申报。")
            if active_delegation(by, draft.on_behalf_of, "claim") is None:
                raise NotAllowed("没有找到有效的代办委托，可能已到期或被撤销", hint="请到村里重新办理委托。")
            return ("self",)
        if not can_submit(by, household):
            raise NotAllowed("您不能替这一户申报", hint="只能为本村的户申报；外村的请找那里的村文书。")
        found = []
        if of_household(by, household):
            found.append("self")
        if self.is_clerk or leads_group(by, household):
            found.append("clerk")
        if by.home_place == household.place and "self" not in found:
            found.append("neighbour")
        return tuple(found)

    def _check_claimant(self, wanted: format_1.Item, roles: tuple[str, ...]) -> None:
        allowed = wanted.effective_claim_by
        if not set(roles) & set(allowed):
            words = {"self": "本户", "neighbour": "邻居", "clerk": "村文书或组长"}
            who = "、".join(words[one] for one in allowed)
            raise NotAllowed(f"“{wanted.title}”只能由{who}申报", hint="请告诉他们，由他们来记。")

    def _check_day(self, draft: Draft) -> None:
        day = draft.occurred_on
        if day > self.today:
            raise ClaimError(
                f"{day:%Y年%-m月%-d日}还没有到", field="occurred_on", hint="请填写事情发生的日期。"
            )
        oldest = self.today - timedelta(days=self.settings.late_days)
        if day < oldest:
            raise ClaimError(
                f"这件事发生在{day:%Y年%-m月%-d日}，超过了本村 {self.settings.late_days} 天的补记期限",
                field="occurred_on",
                hint=f"只能补记{oldest:%Y年%-m月%-d日}以后的事；有特殊情况请找村文书。",
            )

    def _check_resident(self, draft: Draft, household: Household, book: RuleBook) -> None:
        person = draft.resident
        if person is None:
            if book.unit == "resident":
                raise ClaimError(
                    "本村按人记分，要写明是谁做的", field="resident", hint="请选择这一户的一个人。"
                )
            return
        if person.household_id != household.pk:
            raise ClaimError("选的人不是这一户的", field="resident", hint="请重新选择。")
        gone = person.status in (Resident.Status.MOVED, Resident.Status.DEAD)
        if gone and (person.left_on is None or person.left_on < draft.occurred_on):
            raise ClaimError(
                f"这个人{person.get_status_display()}，那天不在本户",
                field="resident",
                hint="请核对日期和人。",
            )

    def _raw(self, draft: Draft, household: Household, book: RuleBook, wanted: format_1.Item) -> int | None:
        quantity = draft.quantity
        if quantity is not None and not (quantity.is_finite() and 0 < quantity <= QUANTITY_MAX):
            raise ClaimError("数量要大于 0", field="quantity", hint="请填写数字，例如 2 或 0.5。")
        points = wanted.points.min if isinstance(wanted.points, format_1.Range) else None
        claim = Claim(
            id=draft.id,
            place=self.place,
            household=household,
            resident=draft.resident,
            book=book,
            occurred_on=draft.occurred_on,
            quantity=quantity,
            grade=draft.grade,
        )
        raw = measure(wanted, event_of_item(claim, wanted.code, points))
        return None if points is not None else raw


def _check_evidence(wanted: format_1.Item, value: int, draft: Draft, roles: tuple[str, ...]) -> None:
    """Evidence by value (G-04): say what is missing, not only that something is.

    Who speaks for another household has seen it: for small amounts that is the witness. Only staff may cite a
    paper kept at the village office instead of a photo of it.
    """
    needed = wanted.evidence_for(value)
    points = format_points(abs(value))
    if len(draft.photos) > PHOTOS_MAX:
        raise ClaimError(f"照片最多 {PHOTOS_MAX} 张，这里有 {len(draft.photos)} 张", field="photos")
    if draft.document and "clerk" not in roles:
        raise ClaimError("纸质材料要由村文书登记", field="document", hint="请拍一张材料的照片。")
    vouched = "self" not in roles or draft.activity or ("clerk" in roles and draft.channel == "paper")
    if needed == "witness" and not (draft.witness or draft.photos or draft.document or vouched):
        raise ClaimError(
            f"“{wanted.title}”要有证明人", field="witness", hint="请写一位看见的人，或拍一张照片。"
        )
    if needed == "photo" and not (draft.photos or draft.document):
        raise ClaimError(
            f"“{wanted.title}”（{points} 分）要有照片或材料", field="photos", hint="请拍一张照片再提交。"
        )
    if needed == "document" and not (draft.photos or draft.document):
        raise ClaimError(
            f"“{wanted.title}”要有材料", field="photos", hint="请拍一张收据、证书或登记单的照片再提交。"
        )


def _check_reminder(draft: Draft) -> None:
    """A deduction comes after a reminder and a chance to mend (G-20)."""
    if draft.reminded_on is None:
        raise ClaimError(
            "扣分之前要先提醒，给一次改正的机会",
            field="reminded_on",
            hint="请填写提醒的日期；没有提醒过的，请先提醒。",
        )
    if draft.reminded_on >= draft.occurred_on:
        raise ClaimError(
            "提醒的日期要早于扣分的日期", field="reminded_on", hint="提醒之后仍不改正的，才能扣分。"
        )


def _check_lengths(draft: Draft) -> None:
    for value, most, name, title in (
        (draft.text, TEXT_MAX, "text", "说明"),
        (draft.witness, NAME_MAX, "witness", "证明人"),
        (draft.document, 100, "document", "材料"),
        (draft.grade, GRADE_MAX, "grade", "等次"),
        (draft.activity, NAME_MAX, "activity", "活动名称"),
        (draft.heard, TEXT_MAX, "heard", "本户陈述"),
    ):
        if len(value) > most:
            raise ClaimError(f"{title}太长，最多 {most} 个字", field=name, hint="请写短一些。")
        # A NUL cannot be stored, and other controls only come from a broken file or an attack.
        if any(unicodedata.category(letter) == "Cc" and letter not in "\n\t" for letter in value):
            raise ClaimError(f"{title}里有看不见的字符", field=name, hint="请删掉重新输入。")
    if draft.channel not in Claim.Channel.values:
        raise ClaimError("没有这种渠道", field="channel")
