"""Run the tests on a served PostgreSQL 15 or newer, instead of the embedded one.

With DATABASE_URL set, that server is used. Without it, Debian's PostgreSQL is started in a temporary folder
(package postgresql, installed where apt-get may), and removed afterwards.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def find_server() -> Path:
    """The newest installed server's bin folder; installs Debian's package where there is none."""
    for _ in range(2):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
        if found:
            return found[-1].parent
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            break
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "postgresql"], check=True)
    sys.exit("No PostgreSQL server here. Install one (apt-get install postgresql) or set DATABASE_URL.")


def run_tests(url: str) -> int:
    tests = sys.argv[1:] or ["-n", "2", "--dist", "loadgroup"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *tests], cwd=ROOT, env={**os.environ, "DATABASE_URL": url}
    ).returncode


def main() -> int:
    if os.environ.get("DATABASE_URL"):
        return run_tests(os.environ["DATABASE_URL"])
    server = find_server()
    folder = Path(tempfile.mkdtemp(prefix="zhili-pg-"))
    # PostgreSQL refuses to run as root; Debian's package brings a user for it.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        folder.chmod(0o755)
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)

    def as_server(*command: str | Path) -> None:
        subprocess.run([str(part) for part in command], check=True, user=user, cwd=folder)

    data = folder / "data"
    as_server(server / "initdb", "-D", data, "-E", "UTF8", "--auth=trust", "--no-sync")
    as_server(server / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", f"-h '' -k {folder}", "start")
    try:
        role = "CREATE ROLE zhili LOGIN NOSUPERUSER CREATEDB CREATEROLE"
        as_server(server / "psql", "-h", folder, "-d", "postgres", "-q", "-c", role)
        as_server(server / "createdb", "-h", folder, "-O", "zhili", "zhili")
        return run_tests(f"postgresql://zhili@/zhili?host={folder}")
    finally:
        as_server(server / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
