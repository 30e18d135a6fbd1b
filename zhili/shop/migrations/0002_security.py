"""Row security and the triggers of sql/: shelf and money are written by moves and entries alone."""

from pathlib import Path

from django.db import migrations

from zhili.common.rowsecurity import append_only, row_security

SQL = Path(__file__).resolve().parents[1] / "sql"
OF_VILLAGE = ("order", "orderline", "ticket", "pin", "fund", "fundaccount", "fundentry", "settings",
              "reconciliation", "pollanswer")  # fmt: skip
# A township's shop serves the villages below it: their people read its shelf, and their orders move it.
OF_SHOP = ("shop", "supplier", "good", "pricelist", "price", "stockmove", "stockcount", "fairday", "poll")
BELOW = "EXISTS (SELECT 1 FROM unnest((SELECT zhili_scope())::text[]) AS s(p) WHERE s.p LIKE place || '_%')"


def load(name):
    return migrations.RunSQL((SQL / name).read_text(encoding="utf-8"), migrations.RunSQL.noop)


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial"), ("common", "0002_functions")]
    operations = [
        *[row_security(f"shop_{table}") for table in OF_VILLAGE],
        *[row_security(f"shop_{table}", own=BELOW) for table in OF_SHOP],
        append_only("shop_stockmove"),
        append_only("shop_fundentry"),
        load("01_stock.sql"),
        load("02_money.sql"),
    ]
