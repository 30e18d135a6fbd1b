"""The passbook's page says how many lines it is, so that the lines are fetched one by one and not by reading the book."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0005_page")]
    operations = [migrations.RunSQL((SQL / "06_page.sql").read_text(encoding="utf-8"), migrations.RunSQL.noop)]
