"""Debian's PgBouncer for a test: taken from the system, else unpacked from its packages into .cache/ (no root needed)."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from zhili.config.embedded import Login

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("pgbouncer", "libevent-2.1-7", "libc-ares2")
PORT = 6432


@dataclass(frozen=True, slots=True)
class Pooler:
    """A running pool. folder: where its socket is."""

    folder: Path
    user: str
    database: str

    def connect(self) -> psycopg.Connection:
        # In transaction mode a prepared statement may be another server's.
        return psycopg.connect(
            host=str(self.folder),
            port=PORT,
            user=self.user,
            dbname=self.database,
            autocommit=True,
            prepare_threshold=None,
        )

    def as_django(self) -> dict[str, Any]:
        return {
            "NAME": self.database,
            "HOST": str(self.folder),
            "PORT": str(PORT),
            "PASSWORD": "",
            "DISABLE_SERVER_SIDE_CURSORS": True,
            "LIMITS_NAME": f"{self.database}_limits",
        }


def find() -> tuple[str, dict[str, str]]:
    """The program and the environment it needs. Fails in words where it can neither be found nor fetched."""
    if here := shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        return here, dict(os.environ)
    home = ROOT / ".cache" / "pgbouncer"
    program = home / "usr" / "sbin" / "pgbouncer"
    if not program.exists():
        _fetch(home)
    libraries = ":".join(str(path) for path in home.glob("usr/lib/*-linux-gnu"))
    return str(program), {**os.environ, "LD_LIBRARY_PATH": libraries}


def _fetch(home: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise AssertionError(
            "PgBouncer is not installed and this machine has no apt-get: install it (1.18 or newer)"
        )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        for again in (False, True):
            if again:
                subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False)
            fetched = subprocess.run(
                ["apt-get", "download", "-qq", *PACKAGES],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            if fetched.returncode == 0:
                break
        else:
            raise AssertionError(
                f"PgBouncer is not installed and cannot be fetched: {fetched.stderr.strip()[-300:]}"
            )
        part = home.with_suffix(f".{os.getpid()}")
        for package in Path(folder).glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(package), str(part)], check=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    if home.exists():
        shutil.rmtree(part)
    else:
        part.rename(home)


@contextmanager
def pgbouncer(login: Login, database: str, *, size: int) -> Iterator[Pooler]:
    """A pool of `size` server connections in transaction mode before `database`, for the application's role."""
    program, environment = find()
    folder = Path(tempfile.mkdtemp(prefix="zhili-pool-"))
    # It refuses to run as root, and must reach the server's socket: then it runs as that socket's owner.
    owner = pwd.getpwuid(os.stat(login.host).st_uid) if login.host.startswith("/") else pwd.getpwnam("nobody")
    server = f"host={login.host} " + (f"port={login.port} " if login.port else "") + f"dbname={database}"
    (folder / "users").write_text(f'"{login.user}" "{login.password}"\n')
    (folder / "ini").write_text(
        f"[databases]\n{database} = {server}\n{database}_limits = {server} pool_size=1\n"
        f"[pgbouncer]\nlisten_addr =\nlisten_port = {PORT}\n"
        f"unix_socket_dir = {folder}\nauth_type = trust\nauth_file = {folder / 'users'}\npool_mode = transaction\n"
        f"default_pool_size = {size}\nmax_client_conn = 200\nserver_reset_query =\n"
        f"ignore_startup_parameters = extra_float_digits\nlogfile = {folder / 'log'}\n"
    )
    as_root = os.geteuid() == 0
    if as_root:
        for path in (folder, folder / "users", folder / "ini"):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    process = subprocess.Popen(
        [program, "-q", *(["-u", owner.pw_name] if as_root else []), str(folder / "ini")],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    pool = Pooler(folder, login.user, database)
    try:
        _wait(pool, process)
        yield pool
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(pool: Pooler, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        if process.poll() is not None:
            break
        try:
            pool.connect().close()
            return
        except psycopg.OperationalError:
            time.sleep(0.1)
    log = pool.folder / "log"
    raise AssertionError(f"PgBouncer did not start: {log.read_text()[-500:] if log.exists() else 'no log'}")
