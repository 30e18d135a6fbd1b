"""安全自查 (O-06): the 等保 table, line by line, looked at now on this running system: passed or not, with the figure.

It is what the county shows an assessor and what its own administrators look at each month. It proves that the product's
part holds at this moment, not that the system "passed 等保": that is said of a deployed system, by an assessor.
Each check is one function that looks at the real thing and returns what it found; none changes anything.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.checks import Tags, run_checks
from django.db import connection

from zhili.common import readonly, status
from zhili.common.cipher import self_test
from zhili.common.clock import now
from zhili.common.errors import ZhiliError
from zhili.common.logs import DAYS_MIN
from zhili.common.scope import EVERYWHERE, scoped
from zhili.config import backup_store, health, logcopy, probe, timecheck, wal

if TYPE_CHECKING:
    from zhili.privacy.register import Register

BACKUP_HOURS_MAX: Final = 26
VERIFY_HOURS_MAX: Final = 48
DRILL_DAYS_MAX: Final = 92
LOG_MINUTES_MAX: Final = 15
STALE_DAYS: Final = 180
ADMIN_ROLES: Final = ("system_admin", "security_admin", "audit_admin")


@dataclass(frozen=True, slots=True)
class Found:
    """ok: passed. evidence: what was looked at and the figure."""

    ok: bool
    evidence: str


@dataclass(frozen=True, slots=True)
class Check:
    """One check. numbers: the requirement numbers it serves."""

    title: str
    numbers: str
    look: Callable[[], Found]


@dataclass(slots=True)
class Line:
    """One control of GB/T 22239-2019 (应用 level), with what levels 2 and 3 ask and what our checks found."""

    control: str
    level2: str
    level3: str
    checks: tuple[Check, ...]
    found: list[tuple[Check, Found]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return all(found.ok for _, found in self.found)


def rows(query: str, *values: Any) -> list[Any]:
    """One question over the whole county; only counts and names of tables come back. Days are the village's: between
    midnight and eight the database's own current_date is still yesterday."""
    with scoped(EVERYWHERE), connection.cursor() as cursor:
        cursor.execute(
            query.replace("current_date", "(now() AT TIME ZONE 'Asia/Shanghai')::date"), list(values)
        )
        return cursor.fetchall()


def number(query: str, *values: Any) -> int:
    return int(rows(query, *values)[0][0])


# ---------------------------------------------------------------- 身份鉴别


def unique_names() -> Found:
    twice = number(
        "SELECT count(*) FROM (SELECT lower(username) FROM people_user GROUP BY 1 HAVING count(*) > 1) t"
    )
    total = number("SELECT count(*) FROM people_user")
    return Found(twice == 0, f"共 {total} 个账号，重名 {twice} 个")


def second_factor() -> Found:
    staff, with_it = rows(
        """
        SELECT count(*), count(*) FILTER (WHERE EXISTS (
          SELECT 1 FROM mfa_authenticator m WHERE m.user_id = s.user_id AND m.type <> 'recovery_codes'))
        FROM (SELECT DISTINCT user_id FROM people_membership
              WHERE valid_from <= current_date AND (valid_to IS NULL OR valid_to > current_date)) s
        """
    )[0]
    return Found(staff == with_it, f"工作人员 {staff} 人，已开第二重验证 {with_it} 人")


def passwords_hashed() -> Found:
    kinds = [hasher.rsplit(".", 1)[1] for hasher in settings.PASSWORD_HASHERS]
    bad = number(
        "SELECT count(*) FROM people_user WHERE password !~ '^(scrypt|pbkdf2_sha256)\\$' AND left(password, 1) <> '!'"
    )
    return Found(bad == 0, f"口令以 {'、'.join(kinds)} 散列保存；不合格的 {bad} 个")


def session_limits() -> Found:
    age = int(settings.SESSION_COOKIE_AGE)
    safe = settings.SESSION_COOKIE_HTTPONLY and (
        settings.MODE != "production" or settings.SESSION_COOKIE_SECURE
    )
    return Found(
        bool(safe), f"会话最长 {age // 86400} 天，Cookie 对脚本不可见{'' if safe else '，但没有只走加密连接'}"
    )


# ---------------------------------------------------------------- 访问控制


def app_role() -> Found:
    problems = probe.role_problems()
    return Found(
        not problems,
        "应用的数据库用户不能绕过行级安全" if not problems else "应用的数据库用户" + "、".join(problems),
    )


def walls() -> Found:
    total = number(_WITH_PLACE)
    bare = [
        row[0]
        for row in rows(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'place' AND NOT a.attisdropped"
            " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"
            " AND c.relname <> 'people_membership' ORDER BY 1"
        )
    ]
    said = f"带村代码的表 {total} 张，没有强制行级安全的 {len(bare)} 张"
    return Found(not bare, said + (f"：{'、'.join(bare[:5])}" if bare else ""))


_WITH_PLACE = (
    "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'place' AND NOT a.attisdropped"
    " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')"
)


def roles_apart() -> Found:
    from zhili.people.access import clash

    held: dict[int, list[tuple[str, str]]] = {}
    for user, role, place in rows(
        "SELECT user_id, role, place FROM people_membership"
        " WHERE valid_from <= current_date AND (valid_to IS NULL OR valid_to > current_date)"
    ):
        held.setdefault(user, []).append((role, place))
    clashing = [
        user
        for user, roles in held.items()
        if any(
            clash(a, b) and (p.startswith(q) or q.startswith(p))
            for n, (a, p) in enumerate(roles)
            for b, q in roles[n + 1 :]
        )
    ]
    return Found(not clashing, f"{len(held)} 人担任职务，身份相冲突的 {len(clashing)} 人")


def stale_accounts() -> Found:
    stale = number(
        """
        SELECT count(*) FROM people_user u WHERE is_active
          AND coalesce(last_login, date_joined) < now() - make_interval(days => %s)
          AND EXISTS (SELECT 1 FROM people_membership m WHERE m.user_id = u.id AND m.valid_from <= current_date
                      AND (m.valid_to IS NULL OR m.valid_to > current_date))
        """,
        STALE_DAYS,
    )
    return Found(stale == 0, f"{STALE_DAYS} 天没有登录过的工作人员账号 {stale} 个")


def no_demo() -> Found:
    production = settings.MODE == "production"
    return Found(production, "正式方式，没有演示账号" if production else "现在是演示方式，账号和口令是公开的")


# ---------------------------------------------------------------- 安全审计


def trail_closed() -> Found:
    row = rows(
        "SELECT has_table_privilege('audit_entry', 'UPDATE'), has_table_privilege('audit_entry', 'DELETE'),"
        " has_table_privilege('audit_entry', 'TRUNCATE')"
    )[0]
    return Found(not any(row), "应用对留痕表没有修改、删除、清空的权限" if not any(row) else "应用能改留痕表")


def trail_alive() -> Found:
    count, last = rows("SELECT count(*), max(at) FROM audit_entry WHERE at > now() - interval '30 days'")[0]
    linked = number("SELECT count(*) FROM audit_entry WHERE seq IS NULL")
    said = f"近 30 天 {count} 条，最近一条 {last:%Y-%m-%d %H:%M}" if last else "近 30 天没有留痕"
    return Found(bool(count) and linked == 0, f"{said}，没有入链的 {linked} 条")


def log_kept() -> Found:
    days = int(settings.LOG_DAYS)
    return Found(days >= DAYS_MIN, f"日志留存 {days} 天（不得少于 {DAYS_MIN} 天），设置里调不到更低")


def log_copied() -> Found:
    if not settings.LOG_COPY:
        return Found(False, "没有设日志副本的位置（ZHILI_LOG_COPY）")
    found = logcopy.state(Path(settings.VAR))
    if found is None:
        return Found(False, "日志副本还没有送出过")
    if not found.get("ok"):
        return Found(False, f"日志副本丢了或送不到：{found.get('error', '')}")
    return Found(True, f"{len(found.get('sizes', {}))} 天的日志在另一台机器上有副本，没有被动过")


# ---------------------------------------------------------------- 入侵防范


def deploy_check() -> Found:
    said = [m.id or "" for m in run_checks(tags=[Tags.security], include_deployment_checks=True)]
    return Found(
        not said,
        "框架的部署检查没有警告" if not said else f"部署检查有 {len(said)} 条警告：{'、'.join(said[:6])}",
    )


def features() -> Found:
    gone = probe.missing()
    total = len(probe.FEATURES)
    return Found(
        not gone, f"数据库功能 {total} 项都在" if not gone else f"缺：{'、'.join(one.title for one in gone)}"
    )


def alarms() -> Found:
    ledger = number("SELECT count(*) FROM ledger_alarm WHERE lifted_at IS NULL")
    people = number("SELECT count(*) FROM people_alarm WHERE seen_at IS NULL")
    return Found(ledger + people == 0, f"未处理的台账警报 {ledger} 个、查看号码过多的告警 {people} 个")


def clocks() -> Found:
    found = timecheck.check()
    said = [
        f"{clock.name}相差 {clock.offset:+.2f} 秒"
        if clock.offset is not None
        else f"{clock.name}{clock.error}"
        for clock in found
    ]
    if len(found) == 1:
        said.append("没有设时间源（ZHILI_TIME_SOURCE）")
    return Found(
        all(clock.ok for clock in found), "，".join(said) + f"；上限 {timecheck.LIMIT_SECONDS:.0f} 秒"
    )


# ---------------------------------------------------------------- 完整性与保密性


def books_whole() -> Found:
    kept = status.read(settings.VAR, "verify")
    if kept is None:
        return Found(False, "还没有做过全部台账的核对（每晚自动，或 zhili ledger verify）")
    at = datetime.fromisoformat(kept["at"])
    fresh = now() - at < timedelta(hours=VERIFY_HOURS_MAX)
    counts = kept.get("counts", {})
    return Found(
        bool(kept.get("ok")) and fresh,
        f"最近一次核对 {at.astimezone():%Y-%m-%d %H:%M}，{counts.get('transfers', 0)} 笔流水，"
        f"{'完整' if kept.get('ok') else '发现问题'}{'' if fresh else '，已超过两天'}",
    )


def https_only() -> Found:
    url = str(settings.PUBLIC_URL)
    ok = url.startswith("https://") and bool(settings.SECURE_SSL_REDIRECT)
    return Found(ok, f"网址是 {url.split('://')[0]}，{'其余一律转到加密连接' if ok else '没有强制加密连接'}")


def sealed_fields() -> Found:
    total, plain = rows(
        """
        SELECT count(*) FILTER (WHERE value <> ''), count(*) FILTER (WHERE value <> '' AND value !~ '^v[0-9]+:')
        FROM people_resident, unnest(ARRAY[phone_secret, id_number_secret, bank_secret]) AS value
        """
    )[0]
    return Found(plain == 0, f"身份证号、电话、银行卡号共 {total} 个，没有加密的 {plain} 个")


def ciphers() -> Found:
    try:
        self_test()
    except ZhiliError as error:
        return Found(False, error.message)
    return Found(True, "AES-256-GCM、SM4-GCM、SHA-256、SM3 和 HMAC 的公开测试向量都对")


def keys_apart() -> Found:
    paths = [
        Path(settings.PEOPLE_KEYS),
        Path(settings.VAR) / "keys" / "secrets.json",
        backup_store.key_path(settings.VAR),
    ]
    open_ = [p.name for p in paths if p.exists() and stat.S_IMODE(p.stat().st_mode) & 0o077]
    chosen = backup_store.read_settings(backup_store.archive_dir(settings.VAR))
    inside = chosen is not None and any(chosen.target in p.resolve().parents for p in paths)
    present = sum(p.exists() for p in paths)
    said = (
        f"密钥文件 {present} 个，只有系统用户能读"
        if not open_
        else f"别人也能读的密钥文件：{'、'.join(open_)}"
    )
    return Found(
        not open_ and not inside, said + ("；密钥放进了备份位置" if inside else "；不在数据库和备份里")
    )


# ---------------------------------------------------------------- 备份恢复


def backup_fresh() -> Found:
    kept = status.read(settings.VAR, "backup")
    if kept is None:
        return Found(False, "还没有备份过（zhili backup --to）")
    at = datetime.fromisoformat(kept["at"])
    fresh = now() - at < timedelta(hours=BACKUP_HOURS_MAX)
    size = int(kept.get("bytes", 0)) / 1e6
    return Found(fresh, f"最近一次加密备份 {at.astimezone():%Y-%m-%d %H:%M}，{size:.1f} MB，已读回核对")


def backup_elsewhere() -> Found:
    chosen = backup_store.read_settings(backup_store.archive_dir(settings.VAR))
    if chosen is None:
        return Found(False, "没有设备份位置")
    try:
        same = os.stat(chosen.target).st_dev == os.stat(settings.VAR).st_dev
    except OSError:
        return Found(False, "备份位置打不开")
    if chosen.hook:
        return Found(True, "备份后由命令送往另一处")
    return Found(
        not same, "备份在另一块盘或共享上" if not same else "备份和数据在同一块盘上，盘坏了两样都没有"
    )


def log_leaves() -> Found:
    pieces = wal.waiting(Path(settings.VAR))
    oldest = min((p.stat().st_mtime for p in pieces), default=now().timestamp())
    minutes = max(0.0, (now().timestamp() - oldest) / 60)
    return Found(
        minutes <= LOG_MINUTES_MAX, f"等着送出的数据库日志 {len(pieces)} 段，最久 {minutes:.0f} 分钟"
    )


def drilled() -> Found:
    kept = status.read(settings.VAR, "drill")
    if kept is None:
        return Found(False, "还没有做过恢复演练（zhili restore --drill）")
    at = datetime.fromisoformat(kept["at"])
    fresh = now() - at < timedelta(days=DRILL_DAYS_MAX)
    seconds = kept.get("seconds", {}).get("total", 0)
    ok = bool(kept.get("ok"))
    return Found(
        ok and fresh,
        f"最近一次演练 {at.astimezone():%Y-%m-%d}，用时 {seconds} 秒，{'台账完整' if ok else '没有通过'}",
    )


def disk_room() -> Found:
    disk = health.disk()
    return Found(disk.ok, f"数据盘剩余 {disk.free / 1e9:.1f} GB，共 {disk.total / 1e9:.1f} GB")


# ---------------------------------------------------------------- 剩余信息、个人信息、管理中心


def old_sessions() -> Found:
    left = number("SELECT count(*) FROM django_session WHERE expire_date < now() - interval '2 days'")
    return Found(left == 0, f"过期两天还没有清掉的会话 {left} 个")


def register_complete(register: Register | None = None) -> Found:
    from zhili.privacy.register import problems

    gone = problems(register)
    return Found(
        not gone,
        "每个个人信息字段都写明用途、依据、期限和谁能看" if not gone else f"没有登记的字段 {len(gone)} 个",
    )


def three_apart() -> Found:
    held = dict(
        rows(
            "SELECT role, count(DISTINCT user_id) FROM people_membership WHERE role = ANY(%s) AND valid_from <= current_date"
            " AND (valid_to IS NULL OR valid_to > current_date) GROUP BY role",
            list(ADMIN_ROLES),
        )
    )
    several = number(
        "SELECT count(*) FROM (SELECT user_id FROM people_membership WHERE role = ANY(%s) AND valid_from <= current_date"
        " AND (valid_to IS NULL OR valid_to > current_date) GROUP BY user_id HAVING count(DISTINCT role) > 1) t",
        list(ADMIN_ROLES),
    )
    words = "、".join(
        f"{title} {held.get(role, 0)} 人"
        for role, title in zip(ADMIN_ROLES, ("系统", "安全", "审计"), strict=True)
    )
    return Found(len(held) == 3 and several == 0, f"{words}；一人兼任的 {several} 人")


def writing() -> Found:
    state = readonly.state()
    return Found(not state.on, "系统可以正常写入" if not state.on else state.words)
