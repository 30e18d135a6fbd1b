"""Migration operations that put a table behind row security or make it append-only."""

from __future__ import annotations

from django.db import migrations

# One expression, so that PostgreSQL inlines it, wrapped in a sub-select by the policy, so that it is worked out once
# per statement and not per row. Exactly a list of codes or the one word "*": anything else gives no pattern, hence no
# row. A setting that was once SET LOCAL reads as '' afterwards, and one never set as NULL: neither is a list of codes.
SCOPE_FUNCTION = """
CREATE OR REPLACE FUNCTION zhili_scope() RETURNS text[] LANGUAGE sql STABLE AS $$
  SELECT CASE
    WHEN current_setting('zhili.scope', true) ~ '^[0-9]{2,14}(,[0-9]{2,14})*$'
      THEN string_to_array(replace(current_setting('zhili.scope', true), ',', '%,') || '%', ',')
    WHEN current_setting('zhili.scope', true) = '*' THEN '{%}'::text[]
    ELSE '{}'::text[] END
$$;
"""


def row_security(table: str, column: str = "place", own: str | None = None) -> migrations.RunSQL:
    """Rows only within the transaction's scope, forced for the owner too. `own`: a further SQL condition that admits."""
    condition = f"{column} LIKE ANY ((SELECT zhili_scope())::text[])"
    if own:
        condition = f"({condition}) OR ({own})"
    return migrations.RunSQL(
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY;"
        f"CREATE POLICY scope ON {table} USING ({condition}) WITH CHECK ({condition});",
        f"DROP POLICY scope ON {table};"
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;"
        f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;",
    )


APPEND_ONLY_FUNCTION = """
CREATE OR REPLACE FUNCTION zhili_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% 只能追加，不能修改或删除', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
"""


def append_only(table: str) -> migrations.RunSQL:
    """Refuse UPDATE, DELETE and TRUNCATE, whoever asks, owner included."""
    return migrations.RunSQL(
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION zhili_append_only();"
        f"CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION zhili_append_only();",
        f"DROP TRIGGER append_only ON {table}; DROP TRIGGER append_only_truncate ON {table};",
    )
