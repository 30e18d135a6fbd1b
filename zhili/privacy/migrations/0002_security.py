"""Row security of this room. What the county has signed (recipients, assessments, audits, runs) is read downwards: a
village sees the county's rows, and writes only its own."""

from django.db import migrations

from zhili.common.rowsecurity import row_security

READ_DOWNWARDS = ("privacy_recipient", "privacy_assessment", "privacy_minorreport", "privacy_retentionrun")


def _down(table: str) -> migrations.RunSQL:
    inside = "place LIKE ANY ((SELECT zhili_scope())::text[])"
    above = "EXISTS (SELECT 1 FROM unnest((SELECT zhili_scope())::text[]) AS s(one) WHERE s.one LIKE place || '%')"
    return migrations.RunSQL(
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY;"
        f"CREATE POLICY scope ON {table} USING ({inside}) WITH CHECK ({inside});"
        f"CREATE POLICY downwards ON {table} FOR SELECT USING ({above});",
        f"DROP POLICY downwards ON {table}; DROP POLICY scope ON {table};"
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;"
        f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;",
    )


class Migration(migrations.Migration):
    dependencies = [("privacy", "0001_initial"), ("common", "0003_scope_inlined")]

    operations = [
        row_security("privacy_request"),
        row_security("privacy_erasure"),
        row_security("privacy_sharing"),
        row_security("privacy_incident"),
        row_security("privacy_noticeread"),
        *(_down(table) for table in READ_DOWNWARDS),
    ]
