"""What the machine does by itself every day, besides the villages' business."""

from __future__ import annotations

from datetime import date, time

from django.conf import settings

from zhili.common.daily import daily
from zhili.common.logs import clear_out


def clear_logs(day: date) -> None:
    """Log files older than the setting go; it cannot be set below half a year (P-19)."""
    clear_out(settings.LOG_DIR, settings.LOG_DAYS, day)


def nightly_backup(day: date) -> None:
    """A whole copy, where `zhili backup --to` has named a place (O-05). What fails is tried again and shown."""
    from zhili.config.backup import back_up
    from zhili.config.backup_commands import note_in_trail
    from zhili.config.backup_store import archive_dir, read_settings

    if read_settings(archive_dir(settings.VAR)) is not None:
        done = back_up()
        note_in_trail("config.backup", {name: done[name] for name in ("stamp", "kind", "files")})


def check_books(day: date) -> None:
    """Every night the whole ledger is worked out again; the result is what health page and metrics show. A village in
    whose book something is wrong takes no more entries (L-15)."""
    from zhili.common import status
    from zhili.ledger.alarms import raise_from
    from zhili.ledger.verify import verify

    report = verify()
    raise_from(report)
    status.note(settings.VAR, "verify", ok=report.ok, counts=report.counts, seconds=round(report.seconds, 2))


def clear_sessions(day: date) -> None:
    """Sessions that ran out leave the database (等保: 剩余信息保护)."""
    from django.contrib.sessions.models import Session

    from zhili.common.clock import now

    Session.objects.filter(expire_date__lt=now()).delete()


daily("config.clear_sessions", clear_sessions, after=time(4))
daily("config.backup", nightly_backup, after=time(1))
daily("config.check_books", check_books, after=time(3))
daily("config.clear_logs", clear_logs, after=time(4))
