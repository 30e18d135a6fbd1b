"""The recorded procedure of a rule book, and what the database itself refuses: deleting a version, changing an adopted text (L-09)."""

from django.db import migrations, models

GUARDS = """
CREATE OR REPLACE FUNCTION rulebook_guard_book() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION '积分细则只能撤回，不能删除' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NEW.place <> OLD.place OR NEW.version <> OLD.version OR NEW.created_by_id <> OLD.created_by_id THEN
    RAISE EXCEPTION '细则的区划、版本和起草人不能改' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF (OLD.frozen_at IS NOT NULL OR OLD.status NOT IN ('draft', 'consultation'))
     AND (NEW.text, NEW.digest, NEW.title, NEW.unit, NEW.settlement)
         IS DISTINCT FROM (OLD.text, OLD.digest, OLD.title, OLD.unit, OLD.settlement) THEN
    RAISE EXCEPTION '表决过或用过的细则不能改内容' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF OLD.frozen_at IS NOT NULL
     AND (NEW.frozen_at, NEW.valid_from, NEW.adoption)
         IS DISTINCT FROM (OLD.frozen_at, OLD.valid_from, OLD.adoption) THEN
    RAISE EXCEPTION '用过的细则不能改施行日期和通过记录' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF OLD.frozen_at IS NOT NULL AND NEW.status NOT IN ('in_force', 'superseded') THEN
    RAISE EXCEPTION '用过的细则不能撤回' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER rulebook_guard BEFORE UPDATE OR DELETE ON rulebook_rulebook
  FOR EACH ROW EXECUTE FUNCTION rulebook_guard_book();

CREATE OR REPLACE FUNCTION rulebook_guard_item() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  wanted uuid := CASE WHEN TG_OP = 'INSERT' THEN NEW.book_id ELSE OLD.book_id END;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    RAISE EXCEPTION '细则的项目不能改' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM rulebook_rulebook
                 WHERE id = wanted AND frozen_at IS NULL AND status IN ('draft', 'consultation')) THEN
    RAISE EXCEPTION '表决过或用过的细则不能增删项目' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER rulebook_guard BEFORE INSERT OR UPDATE OR DELETE ON rulebook_item
  FOR EACH ROW EXECUTE FUNCTION rulebook_guard_item();
"""
UNGUARD = """
DROP TRIGGER rulebook_guard ON rulebook_item;
DROP TRIGGER rulebook_guard ON rulebook_rulebook;
DROP FUNCTION rulebook_guard_item();
DROP FUNCTION rulebook_guard_book();
"""


class Migration(migrations.Migration):
    dependencies = [("rulebook", "0002_security")]
    operations = [
        migrations.AddField("rulebook", "authors", models.JSONField(blank=True, default=list, verbose_name="起草人")),
        migrations.AddField("rulebook", "consultation", models.JSONField(blank=True, default=dict, verbose_name="征求意见")),
        migrations.AddField("rulebook", "filing", models.JSONField(blank=True, default=dict, verbose_name="备案回执")),
        migrations.AddField("rulebook", "withdrawal", models.JSONField(blank=True, default=dict, verbose_name="撤回记录")),
        migrations.RunSQL(GUARDS, UNGUARD),
    ]
