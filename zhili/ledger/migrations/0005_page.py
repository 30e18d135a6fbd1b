"""The passbook's page read along the index; the look before a posting, corrected."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"


def load(name):
    return migrations.RunSQL((SQL / name).read_text(encoding="utf-8"), migrations.RunSQL.noop)


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_alarms_and_sm3")]
    operations = [load("02_chain.sql"), load("06_page.sql")]
