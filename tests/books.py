"""A small rule book with all five point shapes and every kind of review and evidence, from 2026-01-01."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

from zhili.rulebook.actions import put_in_force, save_draft
from zhili.rulebook.models import RuleBook

SMALL_BOOK = """
format: zhili-rulebook/1
title: 谭家沟村积分细则（测试用）
unit: household
effective: {from: 2026-01-01, to: 2027-12-31}
settlement: month
purses:
  - {code: merit, title: 荣誉积分}
  - {code: spend, title: 兑换积分, spendable: true, expiry: {policy: years, years: 2}}
base: {points: 1, every: year}
categories:
  - {code: HJ, title: 环境卫生, caps: [{points: 20, every: month}]}
  - {code: GY, title: 公益事业, caps: [{points: 60, every: month}]}
  - {code: ZX, title: 聚居点秩序, start: 15, floor: 0, every: month}
items:
  - {code: HJ01, category: HJ, title: 清扫一段公共道路, points: 2, caps: [{times: 4, every: month}], evidence: witness, review: 1}
  - {code: HJ02, category: HJ, title: 门前屋后评比, points: {grades: {整洁: 3, 合格: 1, 未评上: 0}}, claim_by: [clerk], evidence: none, review: 1}
  - {code: GY01, category: GY, title: 为公共设施捐款, points: {each: 1, per: 100, of: 元, round: down, max: 10}, evidence: document, review: 1}
  - {code: GY02, category: GY, title: 志愿服务累计, points: {of: 小时, over: year, tiers: [{from: 10, points: 2}, {from: 20, points: 5}]}, evidence: witness, review: 1}
  - {code: GY03, category: GY, title: 组织一次公益活动, points: 15}
  - {code: GY04, category: GY, title: 其他突出贡献, points: {min: 1, max: 20}, review: council, evidence: witness}
  - {code: GY05, category: GY, title: 参加一次义务劳动, points: {min: 1, max: 5}, review: 2, evidence: none}
  - {code: GY06, category: GY, title: 只记荣誉的善举, points: 1, purses: [merit], evidence: none, review: 1}
  - {code: ZX01, category: ZX, title: 占用公共通道经提醒不改, points: -5, review: 2, evidence: witness}
"""  # noqa: E501


def make_book(cast: SimpleNamespace, text: str = SMALL_BOOK, **changes: Any) -> RuleBook:
    """The book above in force in the cast's village; `changes`: place, on, title."""
    place = changes.get("place", cast.place)
    draft = save_draft(by=cast.township, place=place, text=text, title=changes.get("title"))
    return put_in_force(
        by=cast.county,
        book=draft,
        on=changes.get("on", date(2026, 1, 1)),
        adoption={"meeting": "村民代表会议", "held_on": "2025-12-20", "in_favour": 40, "present": 45},
        override={"by": "区司法局", "opinion": "合法", "on": "2025-12-22"},
    )


PLAIN_BOOK = SMALL_BOOK.replace("base: {points: 1, every: year}\n", "").replace(
    ", start: 15, floor: 0, every: month", ""
)
"""The same without points that come by themselves, so that a passbook holds what was claimed and nothing else."""
