-- A published month stays as it was signed; a later word is a row of its own. Only free text may still be blanked,
-- because a person whose name got into it has the right to have it taken out.

CREATE OR REPLACE FUNCTION shop_keep_published() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.status = 'published' AND (TG_OP = 'DELETE' OR
     (NEW.id, NEW.place, NEW.month, NEW.figures, NEW.matches, NEW.digest, NEW.made_by_id, NEW.made_at, NEW.signed_by_id,
      NEW.status, NEW.published_at) IS DISTINCT FROM
     (OLD.id, OLD.place, OLD.month, OLD.figures, OLD.matches, OLD.digest, OLD.made_by_id, OLD.made_at, OLD.signed_by_id,
      OLD.status, OLD.published_at)) THEN
    RAISE EXCEPTION '已公布的对账不能改，请另加说明' USING ERRCODE = 'integrity_constraint_violation',
      CONSTRAINT = 'reconciliation_published';
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER keep_published BEFORE UPDATE OR DELETE ON shop_reconciliation
  FOR EACH ROW EXECUTE FUNCTION shop_keep_published();

CREATE OR REPLACE FUNCTION shop_keep_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR (NEW.id, NEW.place, NEW.reconciliation_id, NEW.by_id, NEW.at) IS DISTINCT FROM
     (OLD.id, OLD.place, OLD.reconciliation_id, OLD.by_id, OLD.at) THEN
    RAISE EXCEPTION '补充说明只能追加' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'reconciliation_note_kept';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER keep_note BEFORE UPDATE OR DELETE ON shop_reconciliationnote FOR EACH ROW EXECUTE FUNCTION shop_keep_note();

CREATE OR REPLACE FUNCTION shop_keep_result() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR (NEW.id, NEW.place, NEW.rule, NEW.subject, NEW.result, NEW.by_id, NEW.at) IS DISTINCT FROM
     (OLD.id, OLD.place, OLD.rule, OLD.subject, OLD.result, OLD.by_id, OLD.at) THEN
    RAISE EXCEPTION '核查结论只能追加' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'flag_result_kept';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER keep_result BEFORE UPDATE OR DELETE ON shop_flagresult FOR EACH ROW EXECUTE FUNCTION shop_keep_result();
