-- The money books: sums kept beside the entries, in the same statement. Runs as the owner; the application only adds entries.

CREATE OR REPLACE FUNCTION shop_book_money() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public AS $$
BEGIN
  IF NEW.fund_id IS NOT NULL AND NOT EXISTS (SELECT FROM shop_fund f WHERE f.id = NEW.fund_id AND f.place = NEW.place) THEN
    RAISE EXCEPTION '资金不属于这个村' USING ERRCODE = 'check_violation', CONSTRAINT = 'fund_entry_place';
  END IF;
  INSERT INTO shop_fundaccount AS a (id, place, kind, fund_id, credits, debits)
  SELECT md5(NEW.place || u.kind || coalesce(u.fund::text, ''))::uuid, NEW.place, u.kind, u.fund, u.plus, u.minus
    FROM (SELECT k.kind, CASE WHEN k.kind IN ('goods', 'spent', 'lost') THEN NULL ELSE NEW.fund_id END AS fund, k.plus, k.minus
            FROM (VALUES (NEW.credit, NEW.fen, 0::bigint), (NEW.debit, 0::bigint, NEW.fen)) AS k(kind, plus, minus)
           ORDER BY k.kind) AS u
  ON CONFLICT (place, kind, fund_id) DO UPDATE SET credits = a.credits + excluded.credits, debits = a.debits + excluded.debits;
  RETURN NULL;
END $$;
CREATE TRIGGER book_money AFTER INSERT ON shop_fundentry FOR EACH ROW EXECUTE FUNCTION shop_book_money();
ALTER TABLE shop_fundentry ADD CONSTRAINT fund_entry_names_fund CHECK (
  fund_id IS NOT NULL OR (debit IN ('goods', 'spent', 'lost') AND credit IN ('goods', 'spent', 'lost')));
