"""django-hordak on the same server, in a process and a database of its own: what the ledger is compared with.

Run by bench.ledger with the connection in the environment, and asked for one figure at a time, so that both sides meet
the same moods of the machine.
"""

from __future__ import annotations

import json
import os
import sys
import time


def settings() -> None:
    import django
    from django.conf import settings as django_settings

    django_settings.configure(
        DATABASES={"default": json.loads(os.environ["BENCH_DATABASE"])},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "djmoney", "hordak"],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        USE_TZ=True,
        SECRET_KEY="bench",
        CURRENCIES=["EUR"],
        DEFAULT_CURRENCY="EUR",
        HORDAK_INTERNAL_CURRENCY="EUR",
    )
    django.setup()


def main() -> None:
    """Answer "1" and "1000" on standard input with the seconds that many transfers took, until it ends."""
    settings()
    from django.core.management import call_command
    from django.db import transaction

    call_command("migrate", verbosity=0, interactive=False)
    from hordak.models import Account
    from moneyed import Money

    issued = Account.objects.create(name="issued", type="IN", currencies=["EUR"])
    holders = [Account.objects.create(name=f"holder {n}", type="LI", currencies=["EUR"]) for n in range(20)]
    print("ready", flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        with transaction.atomic():
            for n in range(int(line)):
                issued.transfer_to(holders[n % 20], Money(2, "EUR"))
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main()
