"""/desk/<place>/selfcheck/: the 安全自查 page for the three administrators and the assessor; it prints as it stands."""

from __future__ import annotations

import logging
from typing import Any, Final

import rules
from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.common.clock import now
from zhili.common.errors import NotAllowed, ZhiliError
from zhili.common.policy import may, requires
from zhili.config import selfcheck as look
from zhili.config.selfcheck import Check, Found, Line

log = logging.getLogger(__name__)


@rules.predicate
def checks_system(user: Any, place: str | None = None) -> bool:
    """The three administrators; nobody who works with points."""
    return bool(user.has_role(*look.ADMIN_ROLES, place=place))


rules.add_perm("config.selfcheck", checks_system)  # obj: place code

TABLE: Final[tuple[tuple[str, str, str, tuple[Check, ...]], ...]] = (
    (
        "身份鉴别", "账号唯一、口令复杂并定期更换、登录失败处理、超时退出、传输防窃听", "两种以上鉴别，其中一种用密码技术",
        (
            Check("账号不重名", "N-02", look.unique_names),
            Check("工作人员都有第二重验证", "N-02", look.second_factor),
            Check("口令不以原文保存", "N-04", look.passwords_hashed),
            Check("会话有期限，脚本拿不到", "N-06", look.session_limits),
        ),
    ),
    (
        "访问控制", "分配权限、无默认和多余账号、最小权限、管理权限分离", "由授权主体定策略，细到用户和数据表",
        (
            Check("应用的数据库用户不能越权", "A-03", look.app_role),
            Check("村与村之间有数据库的墙", "A-03", look.walls),
            Check("相冲突的身份不在一人手里", "A-07", look.roles_apart),
            Check("没有长期不用的工作账号", "A-06", look.stale_accounts),
            Check("没有默认账号", "N-10", look.no_demo),
        ),
    ),
    (
        "安全审计", "覆盖每个用户；记时间、人、事、结果；受保护并备份", "审计进程不被中断",
        (
            Check("留痕改不了、删不了", "O-04", look.trail_closed),
            Check("留痕在写，且连成链", "T-08", look.trail_alive),
            Check("日志留存半年以上", "P-19", look.log_kept),
            Check("日志在别的机器上有副本", "O-02", look.log_copied),
        ),
    ),
    (
        "入侵防范", "最小安装、限制管理终端、校验输入、及时补漏洞", "能发现入侵并报警",
        (
            Check("框架部署检查", "W-01", look.deploy_check),
            Check("数据库功能齐全", "X-01", look.features),
            Check("没有未处理的警报", "L-15 A-14", look.alarms),
            Check("时钟一致", "O-08", look.clocks),
        ),
    ),
    (
        "数据完整性", "传输中校验", "传输和存储都校验，含审计和个人信息",
        (
            Check("台账每晚核对，完整", "L-05 T-02", look.books_whole),
            Check("只走加密连接", "W-02", look.https_only),
        ),
    ),
    (
        "数据保密性", "（二级不要求）", "鉴别、业务和个人信息在传输和存储中加密",
        (
            Check("个人号码加密保存", "K-07", look.sealed_fields),
            Check("密码算法自检", "K-03", look.ciphers),
            Check("密钥与数据、备份分开", "K-06", look.keys_apart),
        ),
    ),
    (
        "备份恢复", "本地备份和恢复，异地有一份", "热备冗余",
        (
            Check("每晚有加密备份", "O-05", look.backup_fresh),
            Check("备份不在同一块盘", "O-05", look.backup_elsewhere),
            Check("数据库日志及时送出", "O-05", look.log_leaves),
            Check("恢复演练", "C-16", look.drilled),
            Check("磁盘有余地", "O-09", look.disk_room),
        ),
    ),
    (
        "剩余信息保护", "鉴别信息用后清除", "敏感信息用后清除",
        (Check("过期会话已清", "N-06", look.old_sessions),),
    ),
    (
        "个人信息保护", "只收必需的，不得未授权使用", "同左",
        (Check("个人信息字段登记齐全", "P-01", look.register_complete),),
    ),
    (
        "管理中心", "系统、审计管理员只经过留痕的界面操作", "另设安全管理员",
        (Check("三员分立", "A-07", look.three_apart), Check("系统在正常写入", "O-09", look.writing)),
    ),
)  # fmt: skip


def lines() -> list[Line]:
    """The whole table, looked at now. A check that breaks counts as not passed and does not stop the others."""
    found = []
    for control, level2, level3, checks in TABLE:
        line = Line(control, level2, level3, checks)
        line.found = [(check, run(check)) for check in checks]
        found.append(line)
    return found


def run(check: Check) -> Found:
    """One check in a savepoint of its own."""
    try:
        with transaction.atomic():
            return check.look()
    except (DatabaseError, OSError, ZhiliError, ImportError, ValueError, KeyError) as error:
        log.exception("a self-check broke")
        return Found(False, f"没有查成（{type(error).__name__}）")


@requires("config.selfcheck")
def page(request: HttpRequest, place: str) -> HttpResponse:
    """The table with pass or fail, evidence and the moment."""
    if not may(request.user, "config.selfcheck", place):
        raise NotAllowed("您的身份不能打开安全自查。")
    table = lines()
    every = [found.ok for line in table for _, found in line.found]
    return render(
        request,
        "config/selfcheck.html",
        {"lines": table, "at": now(), "passed": sum(every), "total": len(every)},
    )


urlpatterns = [path("<str:place>/selfcheck/", page, name="desk_selfcheck")]
