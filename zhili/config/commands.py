"""zhili serve, demo, migrate: starting the whole."""

from __future__ import annotations

import argparse
from typing import Any

from zhili.config import serving


def add(subparsers: Any) -> None:
    """Register this module's sub-commands."""
    migrate = subparsers.add_parser("migrate", help="建立或更新数据库")
    migrate.set_defaults(run=run_migrate)
    serving.add(subparsers)


def run_migrate(options: argparse.Namespace) -> int:
    """Start the database, bring it up to date."""
    from zhili.config.setup import ready

    ready()
    print("数据库已就绪。")
    return 0
