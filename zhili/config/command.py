"""The `zhili` command. Each sub-command lives with its room as commands.py: `add(subparsers)` and a run function.

A run function that needs the database says so with set_defaults(database=True); it is then started and up to date.
One that writes as the database's owner (maintenance) says as_owner=True as well.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from zhili.common.errors import ZhiliError

# Rooms that bring sub-commands, found by dotted path.
ROOMS = (
    "zhili.config.commands",
    "zhili.rulebook.commands",
    "zhili.web.commands",
    "zhili.people.commands",
    "zhili.places.commands",
    "zhili.ledger.commands",
    "zhili.privacy.commands",
    "zhili.web.expiry_commands",
    "zhili.config.initial",
    "zhili.config.key_commands",
    "zhili.config.backup_commands",
    "zhili.config.readonly_commands",
    "zhili.audit.commands",
    "zhili.config.worker",
    "zhili.ledger.anchors_commands",
)


def main(argv: list[str] | None = None) -> int:
    """Parse, run, and turn our own errors into one sentence on standard error. Returns the exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhili.config.settings")
    parser = argparse.ArgumentParser(prog="zhili", description="智理：乡村治理积分制")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="命令")
    for room in ROOMS:
        importlib.import_module(room).add(subparsers)
    options = parser.parse_args(argv)
    try:
        if getattr(options, "database", False):
            # Rooms below may not start the database themselves; they say that they need it.
            from zhili.config.setup import ready

            ready()
        if getattr(options, "as_owner", False):
            from zhili.config.setup import as_owner

            with as_owner():
                return int(options.run(options) or 0)
        return int(options.run(options) or 0)
    except ZhiliError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
