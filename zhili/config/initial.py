"""zhili init: a county starts with an empty instance, three administrators, and no default password anywhere.

The three administrators exclude each other (三员分立): one runs the system, one hands out roles, one reads the trail.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from zhili.common.errors import ZhiliError

SECRETS_NEEDED: Final = ("superuser", "owner", "app", "django")
SECRET_CHARS_MIN: Final = 32
PASSWORD_BYTES: Final = 15  # 20 characters of the URL alphabet
COUNTY_DIGITS: Final = 6
LOCAL_HOSTS: Final = frozenset({"", "*", "localhost", "127.0.0.1", "::1", "testserver"})
ADMINISTRATORS: Final = (
    ("admin", "system_admin", "系统管理员"),
    ("security", "security_admin", "安全管理员"),
    ("audit", "audit_admin", "审计管理员"),
)


class InitError(ZhiliError):
    """A county cannot be set up here, or not like this."""


def add(subparsers: Any) -> None:
    """Register `zhili init`."""
    init = subparsers.add_parser("init", help="在空的系统上设立一个区县：区划、三员账号")
    init.add_argument("--county", metavar="CODE", help="区县的 6 位代码，例如 511702")
    for option, _, title in ADMINISTRATORS:
        init.add_argument(f"--{option}", metavar="USERNAME", help=f"{title}的账号")
    init.add_argument("--places", type=Path, metavar="FILE", help="区划 CSV（code,name,level,parent）")
    init.add_argument(
        "--assessment", type=Path, metavar="FILE", help="填好、签好字的影响评估（zhili privacy assess 生成）"
    )
    init.add_argument("--json", action="store_true", help="只输出一个 JSON")
    init.set_defaults(run=run_init)


def run_init(options: argparse.Namespace) -> int:
    """Check, ask for what is missing, set up, print each password once."""
    from zhili.config import settings
    from zhili.config.embedded import read_secrets, var_dir
    from zhili.config.setup import ready

    check_mode(settings.MODE, os.environ.get("ZHILI_HOSTS", ""), os.environ.get("ZHILI_URL", ""))
    check_secrets(read_secrets(var_dir()))
    assessment = read_assessment(options.assessment)
    county = options.county or _ask("区县的 6 位代码")
    names = {name: getattr(options, name) or _ask(f"{title}的账号") for name, _, title in ADMINISTRATORS}
    ready()
    made = set_up(county=county, names=names, places=options.places, assessment=assessment)
    if options.json:
        print(json.dumps(made, ensure_ascii=False))
        return 0
    print(f"{made['title']}（{county}）已设立，共 {made['places']} 个地方。")
    print("三个账号的一次性密码只显示这一次，三天内有效，请当面交给本人，登录后要先改成自己的：")
    for one in made["accounts"]:
        print(f"  {one['title']}　{one['username']}　{one['password']}")
    return 0


def check_mode(mode: str, hosts: str, url: str) -> None:
    """InitError where this is no place for a county: demo data, or production that is not reached by https.

    hosts, url: ZHILI_HOSTS and ZHILI_URL as the environment has them, "" where it does not.
    """
    if mode != "production":
        raise InitError(
            "现在是演示方式（ZHILI_MODE 不是 production），不能设立区县。",
            hint="请设 ZHILI_MODE=production、ZHILI_HOSTS 和 ZHILI_URL，再运行 zhili init。",
        )
    named = {host.strip().lower() for host in hosts.split(",")} - {""}
    if not named or named <= LOCAL_HOSTS or "*" in named:
        raise InitError("ZHILI_HOSTS 没有写对外的域名。", hint="例如 ZHILI_HOSTS=jifen.example.gov.cn。")
    parts = urlsplit(url)
    if parts.scheme != "https" or (parts.hostname or "") not in named - LOCAL_HOSTS:
        raise InitError(
            "ZHILI_URL 要以 https:// 开头，域名要在 ZHILI_HOSTS 里。",
            hint="例如 ZHILI_URL=https://jifen.example.gov.cn。",
        )


def check_secrets(known: dict[str, str]) -> None:
    """InitError unless every secret of the instance is long and none is used twice."""
    values = [known.get(name, "") for name in SECRETS_NEEDED]
    if any(len(value) < SECRET_CHARS_MIN for value in values) or len(set(values)) != len(values):
        raise InitError(
            "密钥文件 keys/secrets.json 里有太短、重复或缺少的密钥。",
            hint="全新的系统请删去这个文件，让系统自己生成。",
        )


def check_start() -> None:
    """InitError where production would open with something everybody knows: the demo's data, names or password (N-10).

    Asked at every start in production, after the database is up.
    """
    from zhili.common.scope import scoped
    from zhili.config import settings
    from zhili.config.demo.build import LOGINS
    from zhili.config.embedded import read_secrets, var_dir
    from zhili.people.models import User
    from zhili.people.passwords import DEMO_PASSWORD
    from zhili.places.models import VillageSettings

    check_mode(settings.MODE, os.environ.get("ZHILI_HOSTS", ""), os.environ.get("ZHILI_URL", ""))
    check_secrets(read_secrets(var_dir()))
    if settings.SECOND_FACTOR not in ("required", "level3"):
        raise InitError(
            "正式使用时，工作人员必须有第二重验证。",
            hint="请把 ZHILI_SECOND_FACTOR 设为 required 或 level3。",
        )
    with scoped("*"):
        if VillageSettings.objects.filter(demo=True).exists():
            raise InitError(
                "这个数据库里有演示村，不能正式使用。", hint="请换一个空的 ZHILI_VAR，运行 zhili init。"
            )
        known = User.objects.filter(username__in=[name for _, name in LOGINS], is_active=True)
        found = next((user.username for user in known if user.check_password(DEMO_PASSWORD)), None)
    if found is not None:
        raise InitError(f"账号 {found} 用的是演示密码。", hint="请先停用它，或给它开一次性密码。")


def read_assessment(file: Path | None) -> dict[str, Any]:
    """The signed impact assessment (个人信息保护法 55): no county goes live without one. Raises InitError, PrivacyError."""
    how = "先运行 zhili privacy assess --out 评估.json，填好、两位负责人签字，再用 --assessment 评估.json。"
    if file is None:
        raise InitError("没有给出个人信息保护影响评估。", field="assessment", hint=how)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InitError(f"影响评估文件打不开：{file.name}", field="assessment", hint=how) from error
    import django

    django.setup()
    from zhili.privacy.golive import read_file

    return read_file(text)


def set_up(
    *, county: str, names: dict[str, str], places: Path | None, assessment: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Load the places and make the three administrators, all or nothing.

    names: "admin", "security", "audit" → username. Returns {"county", "title", "places", "accounts":
    [{"title", "username", "password"}]}. Raises InitError, and what the actions refuse.
    """
    from django.db import transaction

    from zhili.audit.actions import record
    from zhili.common.clock import now
    from zhili.common.scope import scoped
    from zhili.people.models import User
    from zhili.people.passwords import INIT_HOURS
    from zhili.people.role_actions import grant_role, make_login
    from zhili.places.actions import load_csv, load_tongchuan
    from zhili.places.models import Place
    from zhili.privacy.golive import keep_file

    if len(county) != COUNTY_DIGITS or not (county.isascii() and county.isdigit()):
        raise InitError(f"“{county[:20]}”不是 6 位区县代码。", field="county", hint="例如 511702。")
    if len({name.lower() for name in names.values()}) != len(ADMINISTRATORS):
        raise InitError("三个管理员要用三个不同的账号，由三个人担任。", field="admin")
    with scoped("*"), transaction.atomic():
        if User.objects.exists():
            raise InitError("这个系统里已经有账号，不能再设立。", hint="要重新开始，请换一个空的 ZHILI_VAR。")
        count = load_tongchuan() if places is None else load_csv(places).total
        title = Place.objects.filter(code=county).values_list("name", flat=True).first()
        if title is None:
            raise InitError(
                f"区划里没有 {county}。", field="county", hint="请核对代码，或用 --places 给出本区县的区划。"
            )
        accounts = []
        for option, role, role_title in ADMINISTRATORS:
            password = secrets.token_urlsafe(PASSWORD_BYTES)
            user = make_login(None, names[option], password, by=None, display_name=role_title, place=county)
            grant_role(by=None, user=user, role=role, place=county)
            # Good for three days, and only for setting one's own (N-05).
            user.must_change_password, user.password_until = True, now() + timedelta(hours=INIT_HOURS)
            user.save(update_fields=["must_change_password", "password_until"])
            accounts.append({"title": role_title, "username": user.username, "password": password})
        if assessment is not None:
            keep_file(county, assessment)
        record(
            "config.init", by=None, place=county, places=count, users=[one["username"] for one in accounts]
        )
    return {"county": county, "title": title, "places": count, "accounts": accounts}


def _ask(what: str) -> str:
    try:
        return input(f"{what}：").strip()
    except EOFError:
        raise InitError(f"没有写{what}。", hint="请用 zhili init --help 看要写哪些。") from None
