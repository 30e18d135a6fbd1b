"""Before the county's work begins: can this machine do what the promises rest on? (X-01, K-03, N-10)

What PostgreSQL must offer is tried, not looked up in a version number: a database that calls itself compatible and
lacks one of these would break a promise silently. The list is docs/operations.md's table of features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import psycopg

from zhili.common.cipher import self_test
from zhili.common.errors import ZhiliError
from zhili.config import embedded

VERSION_MIN: Final = 150000


class ProbeError(ZhiliError):
    """The system must not start here; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing the database must do. refusal: why we do not start without it."""

    name: str
    title: str
    refusal: str
    holds: Callable[[psycopg.Connection], bool]


def _new_enough(db: psycopg.Connection) -> bool:
    return db.info.server_version >= VERSION_MIN


def _deferred(db: psycopg.Connection) -> bool:
    """A constraint that looks at the end of the transaction, and refuses there."""
    db.execute(
        "CREATE TEMP TABLE probe_d (a int PRIMARY KEY, b int REFERENCES probe_d DEFERRABLE INITIALLY DEFERRED)"
    )
    with db.transaction():
        db.execute("INSERT INTO probe_d VALUES (1, 2)")
        db.execute("INSERT INTO probe_d VALUES (2, NULL)")
    try:
        with db.transaction():
            db.execute("INSERT INTO probe_d VALUES (3, 9)")
    except psycopg.errors.ForeignKeyViolation:
        return True
    return False


def _row_security(db: psycopg.Connection) -> bool:
    """Rows hidden by a policy, from the table's owner too."""
    db.execute("CREATE TEMP TABLE probe_r (place text)")
    db.execute("INSERT INTO probe_r VALUES ('51'), ('99')")
    db.execute("ALTER TABLE probe_r ENABLE ROW LEVEL SECURITY")
    db.execute("ALTER TABLE probe_r FORCE ROW LEVEL SECURITY")
    db.execute("CREATE POLICY p ON probe_r USING (place LIKE current_setting('zhili.probe', true) || '%')")
    with db.transaction():
        db.execute("SELECT set_config('zhili.probe', '51', true)")
        seen = db.execute("SELECT count(*) FROM probe_r").fetchone()
    return seen == (1,)


def _advisory(db: psycopg.Connection) -> bool:
    """A lock that a second session does not get."""
    with db.transaction():
        db.execute("SELECT pg_advisory_xact_lock(7045120)")
        with _second(db) as other:
            return other.execute("SELECT pg_try_advisory_xact_lock(7045120)").fetchone() == (False,)


def _second(db: psycopg.Connection) -> psycopg.Connection:
    info = db.info
    return psycopg.connect(
        host=info.host,
        port=info.port,
        dbname=info.dbname,
        user=info.user,
        password=info.password or None,
        autocommit=True,
    )


def _partial_unique(db: psycopg.Connection) -> bool:
    db.execute("CREATE TEMP TABLE probe_u (a int, ended bool)")
    db.execute("CREATE UNIQUE INDEX ON probe_u (a) WHERE NOT ended")
    db.execute("INSERT INTO probe_u VALUES (1, true), (1, true), (1, false)")
    try:
        db.execute("INSERT INTO probe_u VALUES (1, false)")
    except psycopg.errors.UniqueViolation:
        return True
    return False


def _skip_locked(db: psycopg.Connection) -> bool:
    db.execute("SELECT 1 FROM (VALUES (1)) v LIMIT 0")
    db.execute("CREATE TEMP TABLE probe_s (a int)")
    db.execute("SELECT a FROM probe_s FOR UPDATE SKIP LOCKED")
    return True


def _durable(db: psycopg.Connection) -> bool:
    return db.execute("SELECT current_setting('fsync'), current_setting('full_page_writes')").fetchone() == (
        "on",
        "on",
    )


FEATURES: Final = (
    Feature("version", "PostgreSQL 15 或更新", "台账的约束和函数按 PostgreSQL 15 写成", _new_enough),
    Feature("deferred", "延迟到事务末尾的约束", "没有它，账可能借贷不平", _deferred),
    Feature("row_security", "行级安全（对属主也生效）", "没有它，一个村可能看到另一个村的数据", _row_security),
    Feature("advisory", "咨询锁", "没有它，同一件事可能办两次", _advisory),
    Feature("partial_unique", "部分唯一索引", "没有它，一笔账可能冲正两次", _partial_unique),
    Feature("skip_locked", "跳过已锁的行", "没有它，消息可能重发", _skip_locked),
    Feature("durable", "写入必落盘（fsync）", "没有它，断电会丢已入账的积分", _durable),
)  # fmt: skip


def missing() -> list[Feature]:
    """Features this database does not have. One connection of the owner, temporary tables only."""
    failed = []
    owner = embedded.logins()["owner"]
    for feature in FEATURES:
        # A connection each: a database that breaks off at one probe is still asked the others.
        try:
            with owner.connect() as db:
                if not feature.holds(db):
                    failed.append(feature)
        except psycopg.Error:
            failed.append(feature)
    return failed


def role_problems(login: embedded.Login | None = None) -> list[str]:
    """Why this role (by default the application's) could walk round the walls; empty where it cannot."""
    with (login or embedded.logins()["app"]).connect() as db:
        row = db.execute(
            "SELECT rolsuper, rolbypassrls, rolcreaterole,"
            " pg_has_role(current_user, (SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE')"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert row is not None
    words = ("是超级用户", "能绕过行级安全", "能建用户", "等于数据库属主")
    return [word for word, held in zip(words, row, strict=True) if held]


def refuse_unfit() -> None:
    """Everything above; raises ProbeError or CipherError in words. Called once at start, before the first request."""
    self_test()
    failed = missing()
    if failed:
        said = "；".join(f"{one.title}：{one.refusal}" for one in failed)
        raise ProbeError(f"这个数据库缺少必需的功能。{said}", hint="请换用 PostgreSQL 15 或更新的版本。")
    problems = role_problems()
    if problems:
        raise ProbeError(f"应用的数据库用户{'、'.join(problems)}", hint="请让数据库管理员收回这些权限。")
