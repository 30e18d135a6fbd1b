"""The worker as a real process: does what is due, dies with its server, and is started again (C-12, T-05)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from zhili.config.smtp import read_smtp

pytestmark = pytest.mark.processes


def zhili(database: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "zhili.config.command", *words], capture_output=True, text=True, timeout=120,
        env={**os.environ, "ZHILI_DATABASE": database, **more},
    )  # fmt: skip


def wait_for(what, seconds: float = 30) -> object:
    """Until it is true; how long it takes is not what is tested."""
    end = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def test_from_the_command_line(own_database: str, tmp_path: Path) -> None:
    """T-05, T-08: publish, keep the file, check against it; a forged anchor and an unreadable file are refused."""
    drop = {"ZHILI_DROP": str(tmp_path)}
    told = zhili(own_database, "ledger", "mailbox", "--place", "511702109", "--add", "zhen@example.org")
    assert told.returncode == 0 and "已登记" in told.stdout, told.stderr
    told = zhili(own_database, "ledger", "publish", "--json", **drop)
    answer = json.loads(told.stdout)
    assert told.returncode == 1 and answer["outbox"]["failed"] == 1, "no mail server is set, and it says so"
    (kept,) = [path for path in tmp_path.rglob("zhili-audit-511702109-*.jsonl")]
    told = zhili(own_database, "audit", "verify", "--anchors", str(kept), "--json")
    assert told.returncode == 0, told.stdout + told.stderr
    assert json.loads(told.stdout)["ok"] and json.loads(told.stdout)["anchored"]
    assert "看不出末尾是否被截掉" in zhili(own_database, "audit", "verify").stdout
    forged = json.loads(kept.read_text().splitlines()[0])
    kept.write_text(json.dumps(forged | {"head": "00" * 32}))
    told = zhili(own_database, "audit", "verify", "--anchors", str(kept))
    assert told.returncode == 1 and "改写" in told.stdout
    kept.write_text("nothing")
    told = zhili(own_database, "audit", "verify", "--anchors", str(kept))
    assert told.returncode == 2 and "第 1 行" in told.stderr
    lines = zhili(own_database, "ledger", "anchors", "--place", "511702109", "--book", "audit").stdout
    assert json.loads(lines.splitlines()[0])["book"] == "audit"


def test_a_worker_dies_with_its_server(own_database: str, tmp_path: Path) -> None:
    """C-12: whoever kills the server with SIGKILL leaves no worker behind; one told to stop ends cleanly."""
    env = {
        **os.environ,
        "ZHILI_DATABASE": own_database,
        "ZHILI_LOG_DIR": str(tmp_path),
        "ZHILI_DROP": str(tmp_path),
    }
    parent = subprocess.Popen(
        [sys.executable, "-c",
         "import subprocess, sys, os, time\n"
         "w = subprocess.Popen([sys.executable, '-m', 'zhili.config.command', 'work', '--parent', str(os.getpid())])\n"
         "print(w.pid, flush=True); time.sleep(60)"],
        stdout=subprocess.PIPE, text=True, env=env,
    )  # fmt: skip
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())

    def said(word: str) -> bool:
        return any(word in path.read_text() for path in tmp_path.glob("zhili-*.jsonl"))

    assert wait_for(lambda: said("worker started"))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert wait_for(lambda: said("worker stopped"))
    assert wait_for(lambda: gone(worker))
    alone = subprocess.Popen([sys.executable, "-m", "zhili.config.command", "work"], env=env)
    assert wait_for(
        lambda: "".join(p.read_text() for p in tmp_path.glob("*.jsonl")).count("worker started") == 2
    )
    alone.send_signal(signal.SIGTERM)
    assert alone.wait(30) == 0


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def test_a_dead_worker_is_started_again(monkeypatch) -> None:
    """C-12: the server's watch starts a new worker where one was killed, and ends the last one with itself."""
    from zhili.config import worker

    made: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def sleeper(command: list[str]) -> subprocess.Popen[bytes]:
        made.append(real([sys.executable, "-c", "import time; time.sleep(60)"]))
        return made[-1]

    monkeypatch.setattr(worker.subprocess, "Popen", sleeper)
    monkeypatch.setattr(worker, "RESTART_PAUSE", 0.05)
    with worker.beside():
        made[0].kill()
        assert wait_for(lambda: len(made) == 2)
    assert made[1].poll() is not None and len(made) == 2


@pytest.mark.parametrize("url", ["http://x", "x@y", "smtp://", "mail.example.org:25"])
def test_a_mail_server_that_cannot_be_read(url: str) -> None:
    """T-05: a wrong ZHILI_SMTP stops the start with words instead of losing letters later."""
    with pytest.raises(ImproperlyConfigured, match="ZHILI_SMTP"):
        read_smtp(url)


def test_mail_servers_of_three_kinds() -> None:
    """T-05: plain, TLS from the first byte, STARTTLS; the password may hold any character."""
    assert read_smtp("") == {}
    assert read_smtp("smtps://zhen:p%40ss@mail.example.org") == {
        "host": "mail.example.org", "port": 465, "username": "zhen", "password": "p@ss", "use_ssl": True, "use_tls": False,
    }  # fmt: skip
    assert read_smtp("smtp+starttls://mail.example.org:2525")["port"] == 2525
    assert read_smtp("smtp://mail.example.org")["use_tls"] is False
