-- The money books: sums kept beside the entries, in the same statement. Runs as the owner; the application only adds entries.

-- What lies on the shelf, was handed over or got lost is the village's; the rest belongs to a fund.
CREATE OR REPLACE FUNCTION shop_fund_of(p_kind text, p_fund uuid) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN p_kind IN ('goods', 'spent', 'lost') THEN NULL ELSE p_fund END
$$;

CREATE OR REPLACE FUNCTION shop_book_money() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public AS $$
DECLARE
  side record;
BEGIN
  IF NEW.fund_id IS NOT NULL AND NOT EXISTS (SELECT FROM shop_fund f WHERE f.id = NEW.fund_id AND f.place = NEW.place) THEN
    RAISE EXCEPTION '资金不属于这个村' USING ERRCODE = 'check_violation', CONSTRAINT = 'fund_entry_place';
  END IF;
  -- Opened empty first: a CHECK looks at the proposed row before ON CONFLICT does. Locked in the order of their kinds.
  INSERT INTO shop_fundaccount (id, place, kind, fund_id, credits, debits)
  SELECT md5(NEW.place || k.kind || coalesce(shop_fund_of(k.kind, NEW.fund_id)::text, ''))::uuid, NEW.place, k.kind,
         shop_fund_of(k.kind, NEW.fund_id), 0, 0
    FROM (VALUES (NEW.credit), (NEW.debit)) AS k(kind) ORDER BY k.kind
  ON CONFLICT (place, kind, fund_id) DO NOTHING;
  FOR side IN SELECT k.kind, k.plus, k.minus FROM (VALUES (NEW.credit, NEW.fen, 0::bigint), (NEW.debit, 0::bigint, NEW.fen))
              AS k(kind, plus, minus) ORDER BY k.kind LOOP
    UPDATE shop_fundaccount SET credits = credits + side.plus, debits = debits + side.minus
     WHERE place = NEW.place AND kind = side.kind AND fund_id IS NOT DISTINCT FROM shop_fund_of(side.kind, NEW.fund_id);
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER book_money AFTER INSERT ON shop_fundentry FOR EACH ROW EXECUTE FUNCTION shop_book_money();
ALTER TABLE shop_fundentry ADD CONSTRAINT fund_entry_names_fund CHECK (
  fund_id IS NOT NULL OR (debit IN ('goods', 'spent', 'lost') AND credit IN ('goods', 'spent', 'lost')));
