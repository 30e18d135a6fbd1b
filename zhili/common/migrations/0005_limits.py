"""Token buckets (common/limits.py). UNLOGGED: limits need not outlive a crash, and a log-in should not wait for a disk."""

from django.db import migrations

TABLE = """
CREATE UNLOGGED TABLE common_bucket (
  key bytea PRIMARY KEY,
  tokens double precision NOT NULL,
  at timestamptz NOT NULL,
  wait double precision NOT NULL DEFAULT 0
);
CREATE INDEX common_bucket_at ON common_bucket (at);
"""


class Migration(migrations.Migration):
    dependencies = [("common", "0004_outbox_daily")]
    operations = [migrations.RunSQL(TABLE, "DROP TABLE common_bucket;")]
