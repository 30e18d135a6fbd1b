"""The web server: granian in front of Django's WSGI entry, static files by whitenoise, nothing else to install."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import Any

from zhili.common.errors import ZhiliError
from zhili.config.embedded import var_dir
from zhili.config.worker import beside

WORKERS = 2
THREADS = 4


class ServeError(ZhiliError):
    """The server cannot start as asked."""


def add(subparsers: Any) -> None:
    """Register `zhili serve`."""
    serve = subparsers.add_parser("serve", help="启动网页服务")
    serve.add_argument("--bind", default="127.0.0.1:8000", metavar="地址:端口")
    serve.add_argument("--workers", type=int, default=WORKERS, metavar="进程数")
    serve.add_argument(
        "--no-worker", action="store_true", help="不在旁边启动后台工作（另有机器在跑 zhili work）"
    )
    serve.set_defaults(run=run_serve)


def run_serve(options: argparse.Namespace) -> int:
    """Bring the database up to date and serve until stopped."""
    from zhili.config import settings
    from zhili.config.initial import check_start
    from zhili.config.setup import ready

    host, port = parse_bind(options.bind)
    if not 1 <= options.workers <= 64:
        raise ServeError("进程数要在 1 到 64 之间")
    share_counts()
    ready()
    fit()
    if settings.MODE == "production":
        check_start()
    serve(host, port, options.workers, worker=not options.no_worker)
    return 0


def share_counts() -> None:
    """Before anything loads prometheus_client: where this server's processes add up their counts (config/metrics.py)."""
    home = var_dir() / "metrics"
    folder = home / str(os.getpid())
    folder.mkdir(parents=True, exist_ok=True)
    for left in home.iterdir():
        if left.name.isdigit() and not Path(f"/proc/{left.name}").exists():
            shutil.rmtree(left, ignore_errors=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def fit() -> None:
    """Ciphers by their published vectors, and what the promises need of the database; or no start (K-03, X-01)."""
    from django.conf import settings

    from zhili.common.cipher import self_test
    from zhili.config.probe import refuse_unfit

    if settings.MODE == "production":
        refuse_unfit()
    else:
        self_test()


def parse_bind(text: str) -> tuple[str, int]:
    """ "127.0.0.1:8000" → its two parts; "[::1]:8000" too."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ServeError(f"看不懂监听地址“{text}”", hint="请写成 127.0.0.1:8000 这样。")
    return host.strip("[]"), int(port)


def serve(host: str, port: int, workers: int = WORKERS, *, worker: bool = True) -> None:
    """Serve in this process's children until it is told to stop (SIGINT, SIGTERM). worker: run one beside it."""
    from contextlib import nullcontext

    from django.db import connection
    from granian import Granian
    from granian.constants import Interfaces

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhili.config.settings")
    connection.close()
    server = Granian(
        "zhili.config.wsgi:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=THREADS,
        backlog=1024,
        websockets=False,
        respawn_failed_workers=True,
        log_access=False,
        log_enabled=bool(os.environ.get("ZHILI_SERVER_LOG")),
    )
    with beside() if worker else nullcontext():
        server.serve()
