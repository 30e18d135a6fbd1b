"""The purposes a person is asked about, in plain words, and the notice they stand under.

Each purpose is asked on its own, nothing is ticked beforehand, and a no costs nothing but that very thing
(个人信息保护法 14, 16, 29). The notice has versions: a changed one asks everybody again (14).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from zhili.people.consent_models import Consent

P = Consent.Purpose


@dataclass(frozen=True, slots=True)
class Purpose:
    """code: Consent.Purpose. what, why, long, refuse: one plain sentence each. basis: the law's articles.

    sensitive: separate consent under 个保法 29. blocks: the field is refused without a standing yes.
    """

    code: str
    what: str
    why: str
    long: str
    refuse: str
    basis: str
    sensitive: bool = False
    blocks: bool = False
    for_minor: bool = False

    @property
    def title(self) -> str:
        return str(P(self.code).label)


@dataclass(frozen=True, slots=True)
class NoticeVersion:
    """One version of what people are told. since: the day it holds from. changed: what is new, in one sentence."""

    version: str
    since: date
    changed: str
    purposes: tuple[Purpose, ...]


_FIRST: Final = (
    Purpose(
        P.PUBLISH,
        "公示和名次里写户编号和遮去一部分的户主名字，例如“张*”。",
        "让大家核对积分对不对。",
        "公示期满就撤下。",
        "只写户编号，不写名字。积分照样得、照样兑换。",
        "村民委员会组织法第三十条；个人信息保护法第十三、二十五条",
    ),
    Purpose(
        P.SMS,
        "用您的电话发公示、到期、兑换的短信。",
        "让您不用跑就知道。",
        "您在本村登记期间。",
        "不发短信，请看公示栏或问组长。",
        "个人信息保护法第十三条",
    ),
    Purpose(
        P.ID_NUMBER,
        "登记您的身份证号，加密保存。",
        "分清同名的人，防止重复登记。",
        "您在本村登记期间，迁出或去世后按期删除。",
        "不登记号码，用姓名和户编号办事。",
        "个人信息保护法第二十八、二十九条",
        sensitive=True,
    ),
    Purpose(
        P.BANK,
        "登记您的银行卡号，加密保存。",
        "奖励以现金发放时直接打到卡上。",
        "发放办完后按期删除。",
        "不登记卡号，奖励照样领实物或到村里领。",
        "个人信息保护法第二十八、二十九条",
        sensitive=True,
        blocks=True,
    ),
    Purpose(
        P.CREDIT,
        "您申请时，把积分证明交给您选的一家银行或保险公司。",
        "办贷款、保险时有个参考。",
        "只在您选定的期限内，随时可以停。",
        "不给任何银行和保险，积分不受影响。",
        "个人信息保护法第二十三条",
        sensitive=True,
    ),
    Purpose(
        P.PHOTO,
        "公开有您本人的活动照片。",
        "宣传村里的好事。",
        "公开页上挂一年。",
        "不公开您的照片。评议时的佐证照片本来就不公开。",
        "个人信息保护法第二十五、二十六条",
    ),
    Purpose(
        P.HEALTH,
        "登记健康、残疾、困难等情况。",
        "照顾政策和免参加劳动时用。",
        "情况消失后删除。",
        "不登记，需要照顾时当面说明就行。",
        "个人信息保护法第二十八、二十九条",
        sensitive=True,
        blocks=True,
    ),
    Purpose(
        P.MINOR,
        "登记未满 14 岁孩子的姓名和出生日期。",
        "孩子做的好事记到全家的积分里。",
        "满 14 岁后按本人的意思。",
        "不登记孩子，不影响全家的积分。",
        "个人信息保护法第三十一条；未成年人网络保护条例第三十六条",
        sensitive=True,
        for_minor=True,
    ),
)

VERSIONS: Final = (NoticeVersion("2026-1", date(2026, 1, 1), "第一版。", _FIRST),)
"""Every version ever shown, oldest first. Never change one: add a new one."""


def current() -> NoticeVersion:
    """The version people answer now."""
    return VERSIONS[-1]


def purpose(code: str) -> Purpose:
    """The wording of a purpose today. Raises KeyError for one that does not exist."""
    return {one.code: one for one in current().purposes}[code]
