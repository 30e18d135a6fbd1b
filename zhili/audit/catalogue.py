"""Every kind of deed the trail knows, in the words of the page (O-01).

A name used by a `record("…")` anywhere in the code stands here once, with what a supervisor reads, what kind of event
it is and how closely an auditor looks at it: 1 daily work, 2 somebody's rights or money or what is public, 3 personal
data seen or taken away, access, and the system itself. tests/test_catalogue.py compares both ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KINDS: Final = {
    "login": "登录退出",
    "denied": "登录失败和被拒",
    "view": "查看敏感信息",
    "export": "导出打印",
    "unmask": "查看完整号码",
    "acting": "代办",
    "role": "身份权限",
    "rule": "积分细则",
    "public": "公开公布",
    "backup": "备份恢复",
    "register": "户与人",
    "claim": "申报评议",
    "notice": "公示异议",
    "book": "台账",
    "shop": "积分超市",
    "honour": "荣誉",
    "privacy": "个人信息",
    "settings": "设置",
    "alarm": "告警",
}
OUTCOMES: Final = {"ok": "办成", "failed": "没有办成", "denied": "被拒绝"}
LEVELS: Final = {1: "日常", 2: "重要", 3: "敏感"}


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of deed. title: what the page says; kind: a key of KINDS; level: 1 to 3."""

    name: str
    title: str
    kind: str
    level: int


_LIST: Final = """
audit.export               导出留痕                       export    3
access.denied              被拒绝打开页面                 denied    3
accounts.again             再次确认身份                   login     1
accounts.again_failed      再次确认没有通过               denied    3
accounts.bind              绑定微信或钉钉                 login     3
accounts.bind_decide       处理绑定争议                   login     3
accounts.bind_dispute      绑定争议                       login     3
accounts.factor_add        开通第二重验证                 login     2
accounts.factor_codes      换备用码                       login     2
accounts.factor_failed     第二重验证没有通过             denied    3
accounts.factor_remove     关闭第二重验证                 login     3
accounts.login             登录                           login     3
accounts.login_failed      登录失败                       denied    3
accounts.logout            退出                           login     1
accounts.one_time          开一次性密码                   login     3
accounts.password          改密码                         login     2
accounts.session_end       退出设备                       login     1
accounts.support_end       结束替人查看                   view      3
accounts.support_start     开始替人查看                   view      3
accounts.support_view      替人查看页面                   view      3
accounts.unbind            解除微信或钉钉                 login     2
claims.award_waiting       资金到位，补入等待的积分       claim     2
claims.export              导出申报                       export    3
claims.hear                记下本人陈述                   claim     1
claims.import              导入申报                       claim     2
claims.offline             收下离线记录                       claim     2
claims.openings            开出期初积分                   book      2
claims.recuse              声明回避                       claim     2
claims.recuse_end          结束回避                       claim     2
claims.resubmit            补正再报                       claim     1
claims.review              评议                           claim     2
claims.sheet_confirm       核对纸表，提交申报             claim     2
claims.sheet_key           录入纸表                       claim     1
claims.sheet_print         打印编号的纸表                 export    1
claims.sheet_problem       纸表核对不上                   claim     2
claims.sheet_void          作废纸表                       claim     1
claims.submit              申报                           claim     1
claims.visit               实地核看                       claim     1
claims.withdraw            撤回申报                       claim     1
config.backup              备份                           backup    3
config.init                初始设置                       settings  3
config.export_all          整套导出                       backup    3
config.readonly            开关只读状态                   settings  3
config.restore_drill       恢复演练                       backup    3
honours.add_goal           登记全组目标                   honour    1
honours.add_priority       登记优先体验                   honour    1
honours.add_scheme         登记荣誉办法                   honour    2
honours.draft              算荣誉榜                       honour    1
honours.drop               作废荣誉榜                     honour    2
honours.end_goal           结束全组目标                   honour    1
honours.end_priority       结束优先体验                   honour    1
honours.end_scheme         停止荣誉办法                   honour    2
honours.goal_reached       全组目标达到                   honour    1
honours.letter             打印感谢信                     export    2
honours.print              打印证书和荣誉榜               export    2
honours.publish            公布荣誉榜                     public    2
honours.resolve            登记评荣誉的决定               honour    2
honours.strike_off         撤下荣誉                       honour    2
ledger.add_mailbox         登记指纹邮箱                   public    2
ledger.alarm               台账告警，停止入账             alarm     3
ledger.announce_expiry     公告积分到期                   public    2
ledger.ask_reversal        提出冲正                       book      2
ledger.carry_over          积分结转                       book      2
ledger.close_period        结账                           book      2
ledger.expire              积分到期                       book      2
ledger.expire_announced    公告的积分到期入账             book      2
ledger.expiry_off          取消公告的积分到期             book      2
ledger.export              导出台账                       export    3
ledger.export_balances     导出各户结余                   export    3
ledger.lift_alarm          解除台账告警                   alarm     3
ledger.print_passbook      打印积分存折                   export    1
ledger.publish_heads       公布账本指纹                   public    1
ledger.refuse_reversal     不同意冲正                     book      2
ledger.remove_mailbox      去掉指纹邮箱                   public    2
ledger.reverse             冲正                           book      2
ledger.take_in             接收导出的台账                 book      3
notices.acknowledge        收下异议                       notice    1
notices.answer             答复异议                       notice    2
notices.close              公示期满入账                   notice    2
notices.correct            更正公示条目                   notice    2
notices.export             导出公示                       export    3
notices.export_objections  导出异议                       export    3
notices.object             提出异议                       notice    1
notices.objection_withdraw 撤回异议                       notice    1
notices.open               开始公示                       public    2
notices.post_held          异议条目入账                   notice    2
notices.print_slips        打印公示告知单                 export    2
people.add_household       立户                           register  2
people.add_resident        添加人员                       register  2
people.alarm               查看号码过多，告警             alarm     3
people.bind_login          登录账号对上村民               role      3
people.close_household     销户                           register  2
people.come_back           外出户回村                     register  1
people.consent             授权或撤回授权                 privacy   2
people.consent_paper       打印授权书                     privacy   2
people.consent_sheet       看授权书照片                   view      3
people.delegate            委托代办                       acting    2
people.edit_household      修改户                         register  2
people.edit_resident       修改人员                       register  2
people.end_role            结束身份                       role      3
people.export              导出户与人员                   export    3
people.export_list         导出户名单                     export    3
people.grant_role          给予身份                       role      3
people.import              导入户与人员                   register  2
people.issue_token         开接口密钥                     role      3
people.keys_retire         停用旧密钥                     settings  3
people.keys_rotate         更换加密密钥                   settings  3
people.make_login          开登录账号                     role      3
people.merge_households    并户                           register  2
people.minor_ask           申请查看未成年人信息           view      3
people.minor_decide        决定未成年人信息申请           view      3
people.minor_view          查看未成年人信息               view      3
people.move_away           迁出                           register  2
people.new_head            更换户主                       register  2
people.print_cards         打印积分卡                     register  2
people.record_death        登记死亡                       register  2
people.reissue_card        补发积分卡                     register  2
people.revoke_delegation   撤销代办                       acting    2
people.revoke_token        停用接口密钥                   role      3
people.set_away            登记外出                       register  1
people.settle_alarm        处理告警                       alarm     3
people.split_household     分户                           register  2
people.unmask              查看完整号码                   unmask    3
people.view                打开一户的页面                 view      2
places.load                载入区划                       settings  2
places.merge               区划合并                       settings  2
places.recode              区划改代码                     settings  2
places.remove_holiday      去掉节假日                     settings  1
places.rename              区划改名                       settings  2
places.set_holiday         设节假日                       settings  1
places.settings            修改村设置                     settings  2
privacy.add_recipient      登记信息接收方                 privacy   3
privacy.answer             答复个人信息请求               privacy   2
privacy.approve_assessment 批准影响评估                   privacy   3
privacy.approve_erasure    批准删除个人信息               privacy   3
privacy.ask                提出个人信息请求               privacy   2
privacy.assess             做影响评估                     privacy   2
privacy.audit_minors       审计未成年人信息               privacy   3
privacy.breach             开出泄露影响名单               export    3
privacy.cancel             撤回个人信息请求               privacy   1
privacy.copy               取得本人信息副本               export    3
privacy.end_recipient      停止向接收方提供               privacy   3
privacy.erase              删除个人信息                   privacy   3
privacy.extend             延长办理期限                   privacy   2
privacy.export_requests    导出个人信息请求               export    3
privacy.pack               取走泄露处置材料               export    3
privacy.prepare_erasure    提请删除个人信息               privacy   3
privacy.read_notice        看过个人信息告知书             privacy   1
privacy.refuse             不同意个人信息请求             privacy   2
privacy.report_minors      出未成年人信息年报             export    3
privacy.retention          清理到期的个人信息             privacy   3
privacy.send_back          退回个人信息请求               privacy   2
privacy.share              向接收方提供信息               export    3
rulebook.adopt             表决通过细则                   rule      2
rulebook.consult           细则征求意见                   rule      2
rulebook.draft             起草细则                       rule      1
rulebook.edit              修改细则草稿                   rule      1
rulebook.file              细则备案                       rule      2
rulebook.override          红线提示的处理                 rule      3
rulebook.put_in_force      细则施行                       rule      3
rulebook.withdraw          撤回细则                       rule      2
shop.add_good              添加物品                       shop      1
shop.add_prices            补充价目表                     shop      1
shop.answer_poll           答复选货征询                   shop      1
shop.ask_count             提交盘点                       shop      2
shop.ask_reversal          申请兑换冲正                   shop      2
shop.book_paper            纸表补录兑换                   shop      2
shop.call_number           叫号                           shop      1
shop.cancel                取消兑换                       shop      1
shop.card_refused          卡不能用                       shop      2
shop.cancel_fair_day       取消兑换日                     public    1
shop.close                停办超市                       shop      2
shop.close_fair_day        结束兑换日                     shop      1
shop.decide_reversal       决定兑换冲正                   shop      2
shop.close_poll            截止选货征询                   shop      1
shop.deposit               拨入兑换资金                   shop      2
shop.edit                  修改超市                       shop      1
shop.edit_good             修改物品                       shop      1
shop.edit_supplier         修改供货商                     shop      2
shop.export                导出积分超市表                 export    2
shop.expire                兑换过期退回                   shop      1
shop.export_book           导出资金账簿                   export    2
shop.export_settlement     导出兑现名单                   export    3
shop.hand_over             交付物品                       shop      2
shop.judge_flag            记录核查结论                   shop      2
shop.note_reconciliation   补充说明对账                   shop      2
shop.open                  开办超市                       shop      2
shop.open_fair_day         开始兑换日                     shop      1
shop.open_fund             设立兑换资金                   shop      2
shop.open_poll             发起选货征询                   shop      1
shop.pass_over             叫号过号                       shop      1
shop.payout                兑付积分                       shop      2
shop.plan_fair_day         安排兑换日                     shop      1
shop.publish_prices        公布价目表                     public    1
shop.reconcile             做月度对账                     shop      2
shop.redeem                柜台兑换                       shop      2
shop.reserve               预约兑换                       shop      1
shop.see_signature         查看领取签名                   view      3
shop.set_pin               设取货口令                     shop      2
shop.settings              修改兑换办法                   shop      2
shop.settle                商户结算                       shop      2
shop.settle_floating       按分兑现结算                   shop      2
shop.sign_count            签认盘点                       shop      2
shop.sign_reconciliation   签字公布月度对账               public    2
shop.print_list            打印兑换登记表                 export    1
shop.stock_in              进货入库                       shop      1
shop.supplier              登记供货商                     shop      1
shop.take_back             退货                           shop      2
shop.take_number           取号                           shop      1
shop.take_numbers          给一个组发号                   shop      1
"""


def _read(text: str) -> dict[str, Event]:
    found: dict[str, Event] = {}
    for line in text.strip().splitlines():
        name, title, kind, level = line.split()
        assert kind in KINDS and int(level) in LEVELS and name not in found, line
        found[name] = Event(name, title, kind, int(level))
    return found


EVENTS: Final = _read(_LIST)


def title_of(action: str) -> str:
    """What the page says of an action; an unknown one (from a newer version) is called 其他."""
    event = EVENTS.get(action)
    return event.title if event else "其他"


def names_of(kind: str) -> list[str]:
    """The actions of one kind."""
    return [event.name for event in EVENTS.values() if event.kind == kind]
