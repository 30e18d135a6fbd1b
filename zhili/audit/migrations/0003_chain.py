"""Audit rows say from where and in which request, and stand in a chain; the rows written so far are linked now."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).resolve().parents[1] / "sql"

TABLES = """
ALTER TABLE audit_entry ADD COLUMN tx bigint DEFAULT 0;
ALTER TABLE audit_entry ALTER COLUMN tx DROP DEFAULT;
CREATE INDEX audit_unlinked ON audit_entry (tx) WHERE seq IS NULL;
-- Never holds a row once a transaction is over, so it needs no log.
CREATE UNLOGGED TABLE audit_round (tx bigint PRIMARY KEY);
"""
TRIGGERS = """
CREATE TRIGGER audit_fresh BEFORE INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION audit_fresh();
DROP TRIGGER append_only ON audit_entry;
CREATE TRIGGER append_only BEFORE DELETE ON audit_entry FOR EACH ROW EXECUTE FUNCTION zhili_append_only();
CREATE TRIGGER audit_keep BEFORE UPDATE ON audit_entry FOR EACH ROW EXECUTE FUNCTION audit_keep();
CREATE CONSTRAINT TRIGGER audit_arrange AFTER INSERT ON audit_entry DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION audit_arrange();
CREATE CONSTRAINT TRIGGER audit_seal AFTER INSERT ON audit_round DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION audit_seal();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_security")]
    operations = [
        migrations.AddField("entry", "utc_offset", models.SmallIntegerField("时差（分钟）", default=480)),
        migrations.AddField("entry", "source", models.CharField("来处", max_length=45, blank=True, default="")),
        migrations.AddField("entry", "receipt", models.CharField("请求编号", max_length=20, blank=True, default="")),
        migrations.AddField("entry", "seq", models.BigIntegerField("序号", null=True, editable=False)),
        migrations.AddField("entry", "previous", models.BinaryField("前一条指纹", null=True)),
        migrations.AddField("entry", "digest", models.BinaryField("指纹", null=True)),
        migrations.AddField("entry", "algorithm", models.CharField("算法", max_length=10, blank=True, default="")),
        migrations.AddConstraint("entry", models.UniqueConstraint(fields=["place", "seq"], name="audit_place_seq")),
        migrations.AddIndex("entry", models.Index(fields=["-at"], name="audit_at")),
        migrations.AddIndex("entry", models.Index(fields=["actor_id", "-at"], name="audit_actor_at")),
        migrations.RunSQL(TABLES, migrations.RunSQL.noop),
        migrations.RunSQL((SQL / "01_chain.sql").read_text(encoding="utf-8"), migrations.RunSQL.noop),
        migrations.RunSQL(TRIGGERS, migrations.RunSQL.noop),
        migrations.RunSQL("SELECT audit_link(0)", migrations.RunSQL.noop),
    ]
