"""What the application's database role may do: everything a village needs, nothing that rewrites its past."""

from __future__ import annotations

from psycopg import sql

from zhili.config.embedded import Login

# Written only through functions that run as the owner (ledger) or only added to (audit).
READ_ONLY_TABLES = (
    "ledger_account",
    "ledger_transfer",
    "ledger_batch",
    "ledger_periodtotal",
    "ledger_periodclose",
    "ledger_assertion",
    "audit_round",
    "shop_fundaccount",
)
# The only doors to those tables; nobody else may even try the handle.
LEDGER_FUNCTIONS = (
    "ledger_post", "ledger_draft", "ledger_close_period", "ledger_open_accounts", "ledger_close_accounts",
)  # fmt: skip
INSERT_ONLY_TABLES = ("audit_entry", "audit_publishedhead", "shop_stockmove", "shop_fundentry")


def grant(owner: Login, app_user: str, database: str | None = None) -> None:
    """Give `app_user` its rights on every table that exists now; run after each migration. Idempotent."""
    app = sql.Identifier(app_user)
    with owner.connect(database) as db:
        db.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(app))
        db.execute(
            sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}").format(app)
        )
        db.execute(sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(app))
        db.execute(sql.SQL("REVOKE TRUNCATE ON ALL TABLES IN SCHEMA public FROM {}").format(app))
        present = {
            row[0] for row in db.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        }
        for table in INSERT_ONLY_TABLES:
            if table in present:
                db.execute(sql.SQL("REVOKE UPDATE, DELETE ON {} FROM {}").format(sql.Identifier(table), app))
        for table in READ_ONLY_TABLES:
            if table in present:
                db.execute(
                    sql.SQL("REVOKE INSERT, UPDATE, DELETE ON {} FROM {}").format(sql.Identifier(table), app)
                )
        made = {row[0] for row in db.execute("SELECT proname FROM pg_proc WHERE proname LIKE 'ledger\\_%'")}
        for function in LEDGER_FUNCTIONS:
            if function in made:
                db.execute(
                    sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.Identifier(function), app)
                )
