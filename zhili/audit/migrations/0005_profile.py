"""The trail is linked by the digest of the county's profile: SM3 under 国密 (K-01, K-02). Newer functions in place of the old."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_published")]
    operations = [migrations.RunSQL((SQL / "01_chain.sql").read_text(encoding="utf-8"), migrations.RunSQL.noop)]
