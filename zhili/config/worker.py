"""zhili work: everything that happens without anybody asking: daily jobs, the outbox, queued tasks.

`zhili serve` runs one beside the web server; on several hosts each may run its own. Two of them never do the same thing
twice: daily jobs have a diary with a lock, messages and tasks are taken by SKIP LOCKED.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

PAUSE: Final = 5.0
# The diary is looked at once a minute: a job's hour is a time of day, not of a second.
DAILY_EVERY: Final = 60.0
RESTART_PAUSE: Final = 10.0
log = logging.getLogger(__name__)


def add(subparsers: Any) -> None:
    """Register `zhili work`."""
    work = subparsers.add_parser("work", help="后台工作：每日任务、外发消息（zhili serve 会自带一个）")
    work.add_argument("--once", action="store_true", help="把现在该办的办完就结束")
    work.add_argument("--parent", type=int, default=0, help=argparse.SUPPRESS)
    work.set_defaults(run=run_work)


def run_work(options: argparse.Namespace) -> int:
    """Work until stopped (SIGINT, SIGTERM), or once. Exit 1 if --once met a failure."""
    from zhili.config.setup import ready

    ready(migrate=not options.parent)
    from zhili.common import daily

    daily.load()
    if options.once:
        counts = turn(daily_too=True)
        told = "，".join(f"{_WORDS.get(key, key)} {count}" for key, count in sorted(counts.items()) if count)
        print(told or "现在没有要办的。")
        return 1 if counts.get("failed") or counts.get("job_failed") else 0
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    log.info("worker started")
    last_daily = -DAILY_EVERY
    # A parent that was killed outright cannot tell its child; the child sees that it has another parent now.
    while not stopped.is_set() and (not options.parent or os.getppid() == options.parent):
        due = time.monotonic() - last_daily >= DAILY_EVERY
        if due:
            last_daily = time.monotonic()
        try:
            turn(daily_too=due)
        except Exception:
            # The database may be away for a minute; the worker must still be there when it comes back.
            log.exception("worker turn failed")
            _close_connections()
        stopped.wait(PAUSE)
    log.info("worker stopped")
    return 0


_WORDS: Final = {
    "sent": "发出", "again": "待重发", "failed": "没有发出", "done": "办完每日任务", "job_failed": "每日任务没有办成",
    "later": "稍后再试", "given_up": "今天不再试", "busy": "别处在办", "tasks": "办完后台任务",
}  # fmt: skip


def turn(*, daily_too: bool) -> dict[str, int]:
    """One round over everything that is due. Returns how many of each."""
    from zhili.common.daily import run_due
    from zhili.common.outbox import deliver_due
    from zhili.config.setup import follow_readonly

    _close_old_connections()
    ship_log()
    copy_log()
    counts: dict[str, int] = {}
    if follow_readonly():
        return counts  # read-only: nothing is due until it ends (O-09)
    if daily_too:
        counts = {("job_failed" if key == "failed" else key): n for key, n in run_due().items()}
    counts["tasks"] = run_tasks()
    return counts | deliver_due(200)


def ship_log() -> None:
    """The database's log leaves the machine within seconds of being written out (O-05); trouble there stops nothing."""
    from zhili.common.errors import ZhiliError
    from zhili.config.embedded import var_dir
    from zhili.config.wal import ship

    try:
        ship(var_dir())
    except (ZhiliError, OSError):
        log.exception("the database log could not be sent to the backup")


def copy_log() -> None:
    """The program's log gets its second copy on another machine (O-02); a loss is said, and stops nothing."""
    from django.conf import settings

    from zhili.config.logcopy import LogCopyError, copy_logs

    if settings.LOG_COPY:
        try:
            copy_logs(Path(settings.LOG_DIR), Path(settings.LOG_COPY), Path(settings.VAR))
        except LogCopyError:
            log.exception("the log's copy on the other machine is lost or cannot be reached")


def run_tasks() -> int:
    """Queued tasks (django-tasks), until none is left; they name the place they work on and enter it themselves."""
    from django_tasks_db.management.commands.db_worker import Worker

    worker = Worker(
        queue_names=["*"],
        interval=0,
        batch=True,
        backend_name="default",
        startup_delay=False,
        max_tasks=None,
        worker_id=f"zhili-{os.getpid()}",
        excluded_queue_names=[],
    )
    worker.run()
    return int(worker._run_tasks)


@contextmanager
def beside() -> Iterator[None]:
    """A worker process as long as the block lasts, started again if it dies."""
    stopping = threading.Event()
    children: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        command = [sys.executable, "-m", "zhili.config.command", "work", "--parent", str(os.getpid())]
        # Our own interpreter and module, no text of a user.
        children.append(subprocess.Popen(command))  # noqa: S603

    def watch() -> None:
        while not stopping.wait(RESTART_PAUSE):
            if children[-1].poll() is not None:
                log.error("worker died, starting it again")
                start()

    start()
    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        stopping.set()
        children[-1].terminate()
        try:
            children[-1].wait(20)
        except subprocess.TimeoutExpired:
            children[-1].kill()


def _close_old_connections() -> None:
    from django.db import close_old_connections

    close_old_connections()


def _close_connections() -> None:
    from django.db import connections

    connections.close_all()
