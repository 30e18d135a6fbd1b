"""Row security, append-only tables and the SQL functions of sql/: the same files, in order, whenever one changes."""

from pathlib import Path

from django.db import migrations

from zhili.common.rowsecurity import append_only, row_security

SQL = Path(__file__).resolve().parents[1] / "sql"
TABLES = ("account", "transfer", "batch", "periodtotal", "periodclose", "assertion")
APPEND_ONLY = ("transfer", "batch", "periodclose", "assertion")


def load(name):
    return migrations.RunSQL((SQL / name).read_text(encoding="utf-8"), migrations.RunSQL.noop)


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial"), ("common", "0002_functions"), ("people", "0001_initial")]
    operations = [
        *[row_security(f"ledger_{table}") for table in TABLES],
        *[append_only(f"ledger_{table}") for table in APPEND_ONLY],
        load("01_hashes.sql"),
        load("02_chain.sql"),
        load("03_post.sql"),
        load("04_close.sql"),
        load("05_guards.sql"),
    ]
