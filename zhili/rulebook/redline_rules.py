"""What each red line forbids: one predicate per line over a clause that has been read (REQUIREMENTS RL-01 … RL-13, G-06).

Each predicate first blanks the phrases in which the same words play an innocent role, then looks at which way the
clause cuts. It returns at most one finding. A lint for drafters and township legal review, not legal advice.
"""

# ruff: noqa: E501 -- suggestions are whole sentences
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from zhili.rulebook import redline_words as w
from zhili.rulebook.redline_text import Reading

Level = Literal["block", "legal_review", "warn"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One red line touched: id (RL-01 …), level, the law it rests on, how to rewrite this clause, the words."""

    id: str
    level: Level
    basis: str
    suggestion: str
    quote: str


def _finding(line: str, level: Level, quote: str, suggestion: str) -> Finding:
    return Finding(line, level, w.LINES[line].basis, suggestion.format(quote=quote.strip("，。、")), quote)


def _mask(text: str, *innocents: re.Pattern[str]) -> str:
    for innocent in innocents:
        text = innocent.sub("□", text)
    return text


def _silenced(text: str, hit: re.Match[str]) -> bool:
    """不上访、未发生信访、投诉为零: the clause is about the act not happening."""
    before = re.split(r"[，。]", text[max(0, hit.start() - 10) : hit.start()])[-1]
    return bool(w.SILENCED.search(before) or w.SILENCED_AFTER.match(text[hit.end() : hit.end() + 6]))


_VOICE: Final = (w.PETITION, w.PETITION_WALK, w.COMPLAINT, w.LAWSUIT, w.SPEECH, w.ASSEMBLY)


def _voice_masked(clause: Reading) -> str:
    text = _mask(clause.text, w.RL01_INNOCENT)
    if clause.sign >= 0:
        text = _mask(text, w.RL01_HELPING)
    elif w.DANGER.search(text):
        # To see a danger and say nothing may cost points; to speak up may not.
        text = _mask(text, w.NOT_REPORTING)
    return text


def voice(clause: Reading) -> Finding | None:
    """RL-01: points taken for petitioning, complaining, suing, speaking; or given for keeping silent."""
    text = _voice_masked(clause)
    taken = "删去“{quote}”：信访、投诉、举报、起诉和言论是村民的权利，不得扣分。可改为对村里自己的要求，如“村级矛盾首次调解在7日内完成”。"
    silence = "“{quote}”是用积分换不上访、不投诉。可改为“主动参加邻里纠纷调解并达成协议，每件加分”。"
    hard = w.PETITION_HARD.search(text)
    if hard:
        return _finding("RL-01", "block", hard[0], silence if clause.sign > 0 else taken)
    for words in _VOICE:
        for hit in words.finditer(text):
            if clause.sign < 0:
                return _finding("RL-01", "block", hit[0], taken)
            if _silenced(text, hit) or w.ABUSIVE.search(text[max(0, hit.start() - 4) : hit.end()]):
                return _finding("RL-01", "block", hit[0], silence)
            if clause.sign > 0 and words is w.PETITION:
                return _finding(
                    "RL-01",
                    "legal_review",
                    hit[0],
                    "给“{quote}”定分会左右村民怎样信访。可改为“参加信访法规宣讲一次，加分”。",
                )
    return None


def entitlement(clause: Reading) -> Finding | None:
    """RL-02: legal entitlements stopped, cut or made to depend on points."""
    text = _mask(clause.text, w.RL02_INNOCENT)
    unpaid = w.INSURANCE_UNPAID.search(text)
    right = w.ENTITLEMENT.search(text)
    cut = w.SEVERED.search(text)
    if right and (cut or w.TIED.search(text)) and not (unpaid and not cut):
        return _finding(
            "RL-02",
            "block",
            right[0],
            "“{quote}”按法律政策发放，村里不得停、扣或与积分挂钩。可改为只影响评优名次：“积分作为村级评优参考”。",
        )
    benefit = w.BENEFIT.search(text)
    if benefit and cut:
        return _finding(
            "RL-02",
            "block",
            benefit[0],
            "不得停发、取消“{quote}”。可改为“提醒后仍不改的，当季不参加村级评优”。",
        )
    if unpaid and clause.sign < 0:
        return _finding(
            "RL-02",
            "legal_review",
            unpaid[0],
            "参保自愿，“{quote}”不宜扣分。可改为“帮助家里老人完成参保登记，加分”。",
        )
    return None


def penalty(clause: Reading) -> Finding | None:
    """RL-03: fines, cut water and power, withheld stamps and papers; points that pay a fine."""
    checks = (
        (
            w.FINE,
            w.FINE_INNOCENT,
            "村里没有处罚权，删去“{quote}”。可改为“经两次提醒仍不改的，扣积分；修复或清理后补回”。",
        ),
        (
            w.CUT_OFF,
            w.CUT_OFF_INNOCENT,
            "不得以“{quote}”逼人改正。可改为“由村组上门提醒，仍不改的报乡镇依法处理”。",
        ),
        (
            w.WITHHELD,
            w.WITHHELD_INNOCENT,
            "“{quote}”违法：办证明、盖章是服务，不得附条件。删去，欠费另行催缴。",
        ),
    )
    for words, innocent, suggestion in checks:
        hit = words.search(_mask(clause.text, innocent))
        if hit:
            return _finding("RL-03", "block", hit[0], suggestion)
    charge = w.CHARGE.search(clause.text)
    if charge and clause.sign < 0:
        return _finding(
            "RL-03",
            "legal_review",
            charge[0],
            "“{quote}”须依法经一事一议，不得作为处罚。可改为“约定时间补工，补工后扣分取消”。",
        )
    return None


def shaming(clause: Reading) -> Finding | None:
    """RL-04: black lists, naming, forced self-criticism; deductions on a paper board need legal review."""
    text = _mask(clause.text, w.RL04_INNOCENT)
    board = "删去“{quote}”。可改为只设红榜表扬，扣分由村组当面告知本人，对外只公布总次数。"
    shame = w.SHAME.search(text)
    if shame and clause.sign <= 0:
        return _finding("RL-04", "block", shame[0], board)
    label = w.LABEL.search(text)
    if label and clause.sign <= 0 and w.LABELLED.search(text):
        return _finding("RL-04", "block", label[0], board)
    lowest, published = w.LOWEST.search(text), w.PUBLISHED.search(text)
    if lowest and published and clause.sign <= 0:
        loud = w.AIRED.search(text) or (w.LOUD.search(text) and not w.PAPER.search(text))
        if loud:
            return _finding("RL-04", "block", f"{lowest[0]}…{published[0]}", board)
        return _finding(
            "RL-04",
            "legal_review",
            f"{lowest[0]}…{published[0]}",
            "扣分上墙须经村民会议决定并由乡镇法制审查。可改为“只公布扣分总次数，不写姓名”。",
        )
    if clause.sign < 0 and (hit := re.search(r"通报(?!表扬|表彰|嘉奖)", text)):
        return _finding("RL-04", "block", hit[0], board)
    exposed = w.EXPOSE.search(text)
    if exposed:
        level: Level = "block" if clause.sign < 0 else "legal_review"
        return _finding("RL-04", level, exposed[0], "不宜“{quote}”他人。可改为“把情况报告村组，经核实加分”。")
    return None


_SENSITIVE: Final = (w.BIRTHS, w.MARRIAGE, w.ETHNICITY, w.DRUG_STATUS, w.CRIME_STATUS)
_SENSITIVE_IF_NOT_GIVEN: Final = (w.ORIGIN, w.ILLNESS)


def trait(clause: Reading) -> Finding | None:
    """RL-05: what a person is, not what they did. Helping such people, or teaching about it, is welcome."""
    text = _mask(clause.text, w.CULT, w.SPARED)
    helped = _mask(text, w.RL05_INNOCENT) if clause.sign >= 0 else text
    suggestion = (
        "“{quote}”是个人身份或敏感信息，不是行为，不得记分。删去；可改为“帮扶有困难的邻居一次，加分”。"
    )
    for words in (w.RELIGION, *_SENSITIVE):
        hit = words.search(helped)
        if hit:
            return _finding("RL-05", "block", hit[0], suggestion)
    if clause.sign <= 0:
        for words in _SENSITIVE_IF_NOT_GIVEN:
            hit = words.search(helped)
            if hit and not _only_helped(clause, hit):
                return _finding("RL-05", "block", hit[0], suggestion)
    return None


def _only_helped(clause: Reading, hit: re.Match[str]) -> bool:
    """歧视、虐待残疾人扣分 protects the person named."""
    return bool(
        re.search(
            r"(?:歧视|虐待|欺负|欺凌|遗弃|侮辱|殴打|占用|嘲笑|排斥|不(?:照顾|照料|赡养|管))[^，。]{0,10}$",
            clause.text[: hit.start() + 4],
        )
    )


def indoors(clause: Reading) -> Finding | None:
    """RL-06: inspection inside the home, private acts."""
    hit = w.INDOORS.search(_mask(clause.text, w.RL06_INNOCENT))
    if not hit:
        return None
    return _finding(
        "RL-06",
        "legal_review",
        hit[0],
        "“{quote}”属家庭私人空间或私生活。可改为“门前屋后、院坝、公共通道整洁”，由旁人在屋外看得见的为准。",
    )


def kin(clause: Reading) -> Finding | None:
    """RL-07: a household answers for what adult relatives do elsewhere."""
    hit = w.GUILT_BY_KIN.search(clause.text)
    if not hit and clause.unit == "resident":
        hit = w.OTHER_THAN_SELF.search(clause.text)
    if not hit or clause.sign > 0:
        return None
    return _finding(
        "RL-07", "legal_review", hit[0], "“{quote}”让一户替别人的行为担责。可改为只记本户成员在本村的行为。"
    )


def app_use(clause: Reading) -> Finding | None:
    """RL-08: points for installing, opening, liking, forwarding, streaks. Signing in at a meeting is no app use."""
    hit = w.APP_USE.search(_mask(clause.text, w.RL08_INNOCENT))
    if not hit:
        return None
    return _finding(
        "RL-08",
        "block",
        hit[0],
        "“{quote}”是考核用软件，不得记分。可改为线下行为，如“参加反诈宣讲会一次，现场签到，加分”。",
    )


def status(clause: Reading, *, uncapped: bool = False) -> Finding | None:
    """RL-09: rewards for what one has become or can pay. Only rewards; money without a cap needs legal review."""
    if clause.sign < 0:
        return None
    gift = w.MONEY_GIFT.search(clause.text)
    if gift:
        level: Level = "legal_review" if uncapped else "warn"
        return _finding(
            "RL-09",
            level,
            gift[0],
            "“{quote}”换分使富裕户占先。请设每年封顶，并给同等分值的出工：“义务出工半天，加分”。",
        )
    hit = w.STATUS.search(_mask(clause.text, w.STATUS_INNOCENT))
    if not hit:
        return None
    return _finding(
        "RL-09",
        "warn",
        hit[0],
        "“{quote}”奖的是身份或名次，不是为村里做的事。可改为荣誉榜表扬，或“回村作一次分享、辅导，加分”。",
    )


def credit(clause: Reading) -> Finding | None:
    """RL-10: credit-sanction words; vetting for party, army, posts."""
    text = _mask(clause.text, w.RL10_INNOCENT)
    hit = w.CREDIT.search(text) or w.VETTING.search(text)
    if not hit:
        return None
    return _finding(
        "RL-10", "block", hit[0], "村积分不是信用记录，删去“{quote}”。可改为“积分只用于村级评优和兑换”。"
    )


def retroactive(clause: Reading) -> Finding | None:
    """RL-11, as a clause says it itself."""
    hit = w.RETROACTIVE.search(_mask(clause.text, w.RL11_INNOCENT))
    if not hit:
        return None
    return _finding(
        "RL-11",
        "block",
        hit[0],
        "规则只管以后，删去“{quote}”。可改为“自表决通过、公示、备案后的次月起执行”。",
    )


def due_process(clause: Reading) -> Finding | None:
    """RL-12: everything wiped out at a stroke, no hearing; deductions for vague disobedience need legal review."""
    text = clause.text
    wiped = w.WIPE_OUT.search(text)
    if wiped and (not w.EXPIRY.search(text) or w.SANCTION_TRIGGER.search(text)):
        return _finding(
            "RL-12",
            "block",
            wiped[0],
            "不得“{quote}”。可改为“经提醒、听取意见后，每件扣不超过5分；积分有误的，只冲正有误的那一笔”。",
        )
    unheard = w.NO_HEARING.search(text)
    if unheard and (clause.sign < 0 or "扣" in text):
        return _finding(
            "RL-12",
            "block",
            unheard[0],
            "“{quote}”剥夺了申辩。可改为“先提醒限期改正，听取本人意见；对扣分可在公示期内提出异议”。",
        )
    vague = w.VAGUE_DUTY.search(text)
    if vague and clause.sign < 0:
        return _finding(
            "RL-12",
            "legal_review",
            vague[0],
            "“{quote}”界限不清，易成随意扣分。可写明具体行为，如“经两次书面提醒，门前杂物仍未清理”，并写明可申诉。",
        )
    return None


def money(clause: Reading) -> Finding | None:
    """RL-13: cash-out, sale, transfer, lottery. A deduction for dealing in points is the village's own guard."""
    text = _mask(clause.text, w.RL13_INNOCENT)
    suggestion = "删去“{quote}”：积分不能成为钱或赌注。可改为“积分在积分超市兑换生活用品，每户每季限额”。"
    if not (clause.sign < 0 and (clause.points or 0) < 0):
        hit = w.CASH_OUT.search(text) or w.TRADE.search(text)
        if hit:
            return _finding("RL-13", "block", hit[0], suggestion)
    lottery = w.LOTTERY.search(text)
    if lottery:
        return _finding("RL-13", "block", lottery[0], suggestion)
    prize = w.CASH_PRIZE.search(text)
    if prize and clause.sign >= 0:
        return _finding("RL-13", "legal_review", prize[0], "“{quote}”近于套现。可改为奖状、实物或集体活动。")
    return None


def vague(clause: Reading) -> Finding | None:
    """G-06: a reward nobody could see being earned."""
    hit = w.VAGUE.search(clause.text)
    if not hit or clause.sign < 0:
        return None
    return _finding(
        "G-06",
        "warn",
        hit[0],
        "“{quote}”看不见、量不准。请写旁人看得见的行为、单位和次数，如“清扫公路一次”。",
    )


PREDICATES: Final[tuple[Callable[[Reading], Finding | None], ...]] = (
    voice, entitlement, penalty, shaming, trait, indoors, kin, app_use, credit, retroactive, due_process, money, vague,
)  # fmt: skip
