"""评议: neighbours decide on neighbours' claims, level by level, and stay out of their own cases.

level 1 a reviewer; level 2 another reviewer who does not see the first score (G-10); council a member of the
council. What two reviewers score differently goes to the council. A decision is taken on the row as it stands
locked: of two people who decide at once one wins, the other is told how it stands now (C-08).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction

from zhili.audit.actions import record
from zhili.claims.access import LEVEL_ROLES, LEVELS, kept_out
from zhili.claims.errors import ClaimError, Conflict
from zhili.claims.models import Claim, Recusal, Review
from zhili.claims.scoring import span_of
from zhili.common.clock import now
from zhili.common.errors import NotAllowed, ZhiliError
from zhili.common.faults import fault
from zhili.common.ids import uuid7
from zhili.common.periods import today
from zhili.common.policy import may
from zhili.people.models import Household, User
from zhili.rulebook import book as format_1
from zhili.rulebook.queries import parsed

Decision = Review.Decision
Status = Claim.Status
BULK_MAX: Final = 500
REASON_MAX: Final = 200
_WORDS: Final = {"1": "评议员", "2": "评议员", "council": "议事会成员"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one claim of a bulk decision. error: None where it was decided."""

    claim_id: UUID
    number: int
    status: str
    error: ZhiliError | None = None


@dataclass(frozen=True, slots=True)
class _Verdict:
    level: str
    status: str
    points: int | None
    decided: int | None


def review_claim(
    *,
    by: User,
    claim: Claim,
    decision: str,
    points: int | None = None,
    reason: str = "",
    seen_status: str | None = None,
) -> Claim:
    """Decide on one claim: approve, change (a score within the item's range), return, refuse.

    points: hundredths, only for items whose points people set. reason: needed for everything but approve.
    seen_status: what the person's page showed. Raises ClaimError, Conflict (somebody was faster), NotAllowed.
    """
    seen = {claim.pk: seen_status or claim.status}
    outcome = _decide(by, claim.place, [claim.pk], decision, points, reason, seen, strict=True)[0]
    claim.refresh_from_db()
    assert outcome.error is None
    return claim


def review_many(
    *,
    by: User,
    place: str,
    claims: Sequence[Claim | UUID],
    decision: str,
    points: int | None = None,
    reason: str = "",
    all_or_nothing: bool = False,
) -> list[Outcome]:
    """The same decision on many claims of one village; each stands for itself unless all_or_nothing.

    Claims given as rows are compared with the status they were read with. Queries do not grow with the number.
    """
    if not claims:
        raise ClaimError("没有选中申报", hint="请先勾选。")
    if len(claims) > BULK_MAX:
        raise ClaimError(f"一次最多 {BULK_MAX} 条", hint="请分几次。")
    seen = {claim.pk: claim.status for claim in claims if isinstance(claim, Claim)}
    ids = list(dict.fromkeys(claim.pk if isinstance(claim, Claim) else claim for claim in claims))
    return _decide(by, place, ids, decision, points, reason, seen, strict=all_or_nothing)


def _decide(
    by: User,
    place: str,
    ids: Sequence[UUID],
    decision: str,
    points: int | None,
    reason: str,
    seen: dict[UUID, str],
    *,
    strict: bool,
) -> list[Outcome]:
    """Lock the rows in id order, look at them as they stand, decide, write: 8 statements or so in all."""
    reason = _checked_reason(decision, reason)
    if not may(by, "claims.review"):
        raise NotAllowed("您不是评议员，也不是议事会成员", hint="需要的话，请找村里开通。")
    with transaction.atomic():
        rows = Claim.objects.select_for_update(of=("self",)).select_related("item", "book")
        locked = {claim.pk: claim for claim in rows.filter(pk__in=ids, place=place).order_by("pk")}
        fault("review.locked")
        out = kept_out(by, place, [claim.household_id for claim in locked.values()])
        before: dict[UUID, list[Review]] = {}
        for review in Review.objects.filter(claim__in=list(locked)).order_by("pk"):
            before.setdefault(review.claim_id, []).append(review)
        outcomes: list[Outcome] = []
        verdicts: dict[UUID, _Verdict] = {}
        for pk in ids:
            claim = locked.get(pk)
            try:
                if claim is None:
                    raise ClaimError("没有这条申报", hint="可能不属于本村。")
                _refuse_stale(claim, seen.get(pk))
                _refuse_kept_out(by, claim, out, before.get(pk, []))
                verdict = _verdict(claim, decision, points, before.get(pk, []))
            except ZhiliError as error:
                if strict:
                    raise
                outcomes.append(
                    Outcome(pk, claim.number if claim else 0, claim.status if claim else "", error)
                )
                continue
            verdicts[pk] = verdict
            assert claim is not None
            outcomes.append(Outcome(pk, claim.number, verdict.status))
        _write(by, place, locked, verdicts, decision, reason)
        fault("review.before_commit")
    return outcomes


def _checked_reason(decision: str, reason: str) -> str:
    reason = reason.strip()
    if decision not in Decision.values:
        raise ClaimError("没有这种决定", field="decision", hint="请选择通过、改分通过、退回补充或不通过。")
    if not reason and decision != Decision.APPROVE:
        raise ClaimError(f"“{Decision(decision).label}”要写理由", field="reason", hint="申报人会看到。")
    if len(reason) > REASON_MAX:
        raise ClaimError(f"理由太长，最多 {REASON_MAX} 个字", field="reason", hint="请写短一些。")
    return reason


def _refuse_stale(claim: Claim, seen: str | None) -> None:
    if claim.status not in LEVELS or (seen is not None and seen != claim.status):
        raise Conflict(
            f"{claim} 现在是“{claim.get_status_display()}”，您的页面已经过时",
            field="status",
            hint="请刷新后再看。",
        )


def _refuse_kept_out(by: User, claim: Claim, out: dict[UUID, str], before: Sequence[Review]) -> None:
    """A-07, A-08: role for the level, not the own entry, no tie, nobody twice on one claim."""
    level = LEVELS[claim.status]
    if not by.has_role(LEVEL_ROLES[level], place=claim.place):
        raise NotAllowed(f"{claim} 要由{_WORDS[level]}来定（{claim.get_status_display()}）")
    if claim.submitted_by_id == by.pk:
        raise NotAllowed(f"{claim} 是您自己提交的，要由别人评议")
    if claim.household_id in out:
        raise NotAllowed(f"{claim} 您应回避：{out[claim.household_id]}", hint="请由别人评议。")
    if any(review.by_id == by.pk and review.level != level for review in before):
        raise NotAllowed(f"{claim} 您已评议过一次，这一环节要由别人来定")


def _verdict(claim: Claim, decision: str, points: int | None, before: Sequence[Review]) -> _Verdict:
    """Where the claim goes next, and with which score."""
    level = LEVELS[claim.status]
    if decision == Decision.RETURN:
        return _Verdict(level, Status.RETURNED, None, None)
    if decision == Decision.REFUSE:
        return _Verdict(level, Status.REFUSED, None, None)
    item = parsed(claim.book).item(claim.item.code)
    if claim.reminded_on is not None and not claim.heard:
        raise ClaimError(
            f"{claim} 是扣分，还没有听本户怎么说", field="heard", hint="请先补写本户陈述，再评议。"
        )
    points = _checked_points(
        claim, item, decision, points, needed=level != "1" or claim.review_needed != "council"
    )
    if level == "1" and claim.review_needed == "council":
        return _Verdict(level, Status.COUNCIL, points, None)
    if level == "1" and claim.review_needed == "2":
        return _Verdict(level, Status.SECOND_REVIEW, points, None)
    if level == "2" and points is not None:
        first = next((r.points for r in reversed(before) if r.level == "1" and r.points is not None), points)
        if first != points:
            return _Verdict(level, Status.COUNCIL, points, None)
    return _Verdict(level, Status.APPROVED, points, points)


def _checked_points(
    claim: Claim, item: format_1.Item, decision: str, points: int | None, *, needed: bool
) -> int | None:
    shape = item.points
    if not isinstance(shape, format_1.Range):
        if points is not None or decision == Decision.CHANGE:
            raise ClaimError(
                f"{claim}“{item.title}”的分值由细则定，不能改分",
                field="points",
                hint="数量或等次不对的，请退回补充。",
            )
        return None
    if points is None:
        if needed:
            raise ClaimError(
                f"{claim}“{item.title}”要评定分数", field="points", hint=f"可评 {span_of(item)}。"
            )
        return None
    if not shape.min <= points <= shape.max:
        raise ClaimError(f"{claim} 的分数超出范围", field="points", hint=f"可评 {span_of(item)}。")
    return points


def _write(
    by: User,
    place: str,
    locked: dict[UUID, Claim],
    verdicts: dict[UUID, _Verdict],
    decision: str,
    reason: str,
) -> None:
    if not verdicts:
        return
    moves: dict[tuple[str, str, int | None], list[UUID]] = {}
    for pk, verdict in verdicts.items():
        moves.setdefault((locked[pk].status, verdict.status, verdict.decided), []).append(pk)
    for (old, new, decided), pks in moves.items():
        done = Claim.objects.filter(pk__in=pks, status=old).update(status=new, points_decided=decided)
        if done != len(pks):  # cannot happen while the rows are locked; asserted because money hangs on it
            raise Conflict("申报刚刚有变动，没有保存", hint="请刷新后再试。")
    fault("review.moved")
    moment = now()
    Review.objects.bulk_create(
        Review(
            id=uuid7(),
            place=place,
            claim_id=pk,
            level=verdict.level,
            by=by,
            decision=decision,
            points=verdict.points,
            reason=reason,
            at=moment,
        )
        for pk, verdict in verdicts.items()
    )
    fault("review.written")
    first = locked[next(iter(verdicts))]
    record(
        "claims.review",
        by=by,
        place=place,
        target=first if len(verdicts) == 1 else "",
        decision=decision,
        count=len(verdicts),
        numbers=[locked[pk].number for pk in verdicts][:BULK_MAX],
    )


def declare_recusal(*, by: User, user: User, household: Household, kind: str, note: str = "") -> Recusal:
    """Put a tie between a reviewer and a household on record (G-08): the person, or clerk or supervisor for them."""
    if by.pk != user.pk and not by.has_role("clerk", "supervisor", place=household.place):
        raise NotAllowed("只能申明自己的回避关系", hint="替别人登记请找村文书。")
    if not (
        user.home_place == household.place or user.has_role("reviewer", "council", place=household.place)
    ):
        raise NotAllowed("这个人不是本村的")
    if kind not in Recusal.Kind.values:
        raise ClaimError("没有这种回避原因", field="kind", hint="请选择亲属、生意往来或有纠纷。")
    if len(note) > 100:
        raise ClaimError("说明太长，最多 100 个字", field="note")
    with transaction.atomic():
        try:
            with transaction.atomic():
                tie = Recusal.objects.create(
                    place=household.place,
                    user=user,
                    household=household,
                    kind=kind,
                    note=note,
                    declared_by=by,
                )
        except IntegrityError:
            return Recusal.objects.get(user=user, household=household, kind=kind, ended_on=None)
        record("claims.recuse", by=by, place=household.place, target=tie, kind=kind)
    return tie


def end_recusal(*, by: User, recusal: Recusal, on: date | None = None) -> Recusal:
    """The tie is over. Never by the person it binds: that would open the door to a case one wants to decide."""
    if by.pk == recusal.user_id or not by.has_role("clerk", "supervisor", place=recusal.place):
        raise NotAllowed("解除回避要由村文书或监督委员登记，不能自己解除")
    with transaction.atomic():
        Recusal.objects.filter(pk=recusal.pk, ended_on=None).update(ended_on=on or today())
        recusal.refresh_from_db()
        record("claims.recuse_end", by=by, place=recusal.place, target=recusal)
    return recusal
