-- The chain of one village. Everything that touches its books takes this lock first and takes no other ledger
-- lock after it, so there is no order to get wrong; villages never wait for each other.

CREATE OR REPLACE FUNCTION ledger_tip(p_place text, OUT seq bigint, OUT head bytea) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('zhili.ledger.' || p_place, 0));
  SELECT b.seq, b.head INTO seq, head FROM ledger_batch b WHERE b.place = p_place ORDER BY b.seq DESC LIMIT 1;
  IF NOT FOUND THEN
    seq := 0;
    head := decode(repeat('00', 32), 'hex');
  END IF;
END $$;

CREATE OR REPLACE FUNCTION ledger_link(
  p_place text, p_seq bigint, p_previous bytea, p_root bytea, p_count int, p_total bigint,
  p_posted_at timestamptz, p_period text, p_by bigint, p_note text) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
  new_head bytea;
BEGIN
  new_head := sha256('\x02'::bytea || convert_to(
    'zhili-batch/1|' || p_place || '|' || p_seq || '|' || encode(p_previous, 'hex') || '|' || encode(p_root, 'hex')
    || '|sha256|' || p_count || '|' || p_total || '|' || ledger_moment(p_posted_at) || '|' || p_period || '|'
    || coalesce(p_by::text, '') || '|' || encode(sha256(convert_to(p_note, 'UTF8')), 'hex'), 'UTF8'));
  INSERT INTO ledger_batch (id, place, seq, previous_head, root, head, algorithm, count, total, posted_at, period,
                            by_id, note)
  VALUES (ledger_batch_id(p_place, p_seq), p_place, p_seq, p_previous, p_root, new_head, 'sha256', p_count, p_total,
          p_posted_at, p_period, p_by, p_note);
  RETURN new_head;
END $$;
