-- Closing a period: every balance of the moment, sealed into the chain as a batch without transfers (L-08, L-10).
CREATE OR REPLACE FUNCTION ledger_close_period(
  p_place text, p_period text, p_starts date, p_ends date, p_by bigint, p_note text, p_posted_at timestamptz,
  p_algorithm text DEFAULT 'sha256', p_root bytea DEFAULT NULL, p_head bytea DEFAULT NULL, p_check bytea DEFAULT NULL,
  OUT error text, OUT seq bigint, OUT head bytea, OUT count int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '3s' AS $$
DECLARE
  tip record;
  leaves bytea;
  lines bytea;
BEGIN
  IF p_algorithm IS NULL OR p_algorithm NOT IN ('sha256', 'sm3') OR length(p_root) <> 32 OR length(p_head) <> 32
     OR num_nulls(p_root, p_head, p_check) <> (CASE p_algorithm WHEN 'sha256' THEN 3 ELSE 0 END) THEN
    error := 'digest_mismatch'; RETURN;
  END IF;
  BEGIN
    SELECT * INTO tip FROM ledger_tip(p_place);
    IF ledger_is_stopped(p_place) THEN PERFORM ledger_refuse('read_only'); END IF;
    IF EXISTS (SELECT FROM ledger_periodclose c WHERE c.place = p_place AND c.period = p_period) THEN
      PERFORM ledger_refuse('period_closed');
    END IF;
    seq := tip.seq + 1;
    INSERT INTO ledger_periodclose (place, period, starts, ends, seq) VALUES (p_place, p_period, p_starts, p_ends, seq);
    INSERT INTO ledger_assertion (place, seq, index, account, credits, debits, reserved)
    SELECT p_place, tip.seq + 1, row_number() OVER (ORDER BY a.id), a.id, a.credits, a.debits, a.reserved
      FROM ledger_account a WHERE a.place = p_place;
    WITH l AS (
      SELECT a.index, convert_to(
        'zhili-assertion/1|' || a.place || '|' || a.seq || '|' || a.index || '|' || a.account || '|' || a.credits || '|'
        || a.debits || '|' || a.reserved || '|' || p_period || '|' || (p_starts - date '2000-01-01') || '|'
        || (p_ends - date '2000-01-01'), 'UTF8') AS line
        FROM ledger_assertion a WHERE a.place = p_place AND a.seq = tip.seq + 1)
    SELECT count(*), coalesce(string_agg(sha256('\x00'::bytea || line), ''::bytea ORDER BY index), ''::bytea),
           sha256(coalesce(string_agg(line || '\x0a'::bytea, ''::bytea ORDER BY index), ''::bytea))
      INTO count, leaves, lines FROM l;
    head := ledger_link(p_place, seq, tip.head, coalesce(p_root, ledger_root(leaves)), 0, 0, p_posted_at, p_period, p_by,
                        p_note, p_algorithm, p_head, lines, p_check);
  EXCEPTION
    WHEN lock_not_available THEN error := 'busy';
    WHEN SQLSTATE 'ZL001' THEN GET STACKED DIAGNOSTICS error = MESSAGE_TEXT;
  END;
END $$;

-- Opening accounts ahead of the first posting, and closing empty ones (L-12).
CREATE OR REPLACE FUNCTION ledger_open_accounts(
  p_place text, p_kinds text[], p_owners uuid[], p_purses text[], p_negative boolean[], p_on date) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '3s' AS $$
BEGIN
  PERFORM ledger_tip(p_place);
  IF ledger_is_stopped(p_place) THEN RETURN -1; END IF;
  RETURN cardinality(ledger_open(p_place, p_kinds, p_owners, p_purses, p_negative, p_on));
END $$;

CREATE OR REPLACE FUNCTION ledger_close_accounts(p_place text, p_owner uuid, p_on date, OUT closed int, OUT kept int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '3s' AS $$
BEGIN
  PERFORM ledger_tip(p_place);
  closed := 0;
  kept := -1;
  IF ledger_is_stopped(p_place) THEN RETURN; END IF;
  SELECT count(*) INTO kept FROM ledger_account a WHERE a.place = p_place AND a.kind = 'holder' AND a.owner = p_owner
     AND a.closed_on IS NULL AND (a.credits <> a.debits OR a.reserved <> 0);
  IF kept = 0 THEN
    UPDATE ledger_account a SET closed_on = p_on, seal = ledger_account_seal(a.id, a.may_go_negative, a.opened_on, p_on)
     WHERE a.place = p_place AND a.kind = 'holder' AND a.owner = p_owner AND a.closed_on IS NULL;
    GET DIAGNOSTICS closed = ROW_COUNT;
  END IF;
END $$;
