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

-- The canonical line of a batch (chain.batch_line).
CREATE OR REPLACE FUNCTION ledger_batch_line(
  p_place text, p_seq bigint, p_previous bytea, p_root bytea, p_algorithm text, p_count int, p_total bigint,
  p_posted_at timestamptz, p_period text, p_by bigint, p_note text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT 'zhili-batch/1|' || p_place || '|' || p_seq || '|' || encode(p_previous, 'hex') || '|' || encode(p_root, 'hex')
    || '|' || p_algorithm || '|' || p_count || '|' || p_total || '|' || ledger_moment(p_posted_at) || '|' || p_period || '|'
    || coalesce(p_by::text, '') || '|' || encode(sha256(convert_to(p_note, 'UTF8')), 'hex')
$$;

-- p_head: null for SHA-256, which is worked out here. PostgreSQL has no SM3: there the caller brings root and head, and
-- p_lines (the lines' SHA-256, end to end) with p_check prove that it hashed exactly what is written.
CREATE OR REPLACE FUNCTION ledger_link(
  p_place text, p_seq bigint, p_previous bytea, p_root bytea, p_count int, p_total bigint,
  p_posted_at timestamptz, p_period text, p_by bigint, p_note text,
  p_algorithm text, p_head bytea, p_lines bytea, p_check bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
  line bytea := convert_to(ledger_batch_line(p_place, p_seq, p_previous, p_root, p_algorithm, p_count, p_total,
                                             p_posted_at, p_period, p_by, p_note), 'UTF8');
  new_head bytea := coalesce(p_head, sha256('\x02'::bytea || line));
BEGIN
  IF p_head IS NOT NULL AND sha256(p_lines || line) IS DISTINCT FROM p_check THEN
    PERFORM ledger_refuse('digest_mismatch');
  END IF;
  INSERT INTO ledger_batch (id, place, seq, previous_head, root, head, algorithm, count, total, posted_at, period,
                            by_id, note)
  VALUES (ledger_batch_id(p_place, p_seq), p_place, p_seq, p_previous, p_root, new_head, p_algorithm, p_count, p_total,
          p_posted_at, p_period, p_by, p_note);
  RETURN new_head;
END $$;

-- The SHA-256 of the canonical lines of a batch as they stand in the table, each with a line feed.
CREATE OR REPLACE FUNCTION ledger_lines_digest(p_place text, p_seq bigint) RETURNS bytea LANGUAGE sql STABLE AS $$
  SELECT sha256(coalesce(string_agg(convert_to(
    'zhili-transfer/1|' || place || '|' || seq || '|' || index || '|' || id || '|' || debit || '|' || credit || '|' || amount
    || '|' || short || '|' || code || '|' || phase || '|' || coalesce(pending_of::text, '') || '|'
    || coalesce(reverses::text, '') || '|' || (occurred_on - date '2000-01-01') || '|' || ledger_moment(posted_at) || '|'
    || period || '|' || late::int || '|' || encode(commitment, 'hex') || E'\n', 'UTF8'), ''::bytea ORDER BY index), ''::bytea))
  FROM ledger_transfer WHERE place = p_place AND seq = p_seq
$$;

-- L-15. What must hold before anything is added to the book, for as much of it as this posting touches: the last
-- fingerprint follows from its batch, the accounts are as they were sealed, and a holder's balance is the sum of its
-- period totals. Returns null, or what is broken.
CREATE OR REPLACE FUNCTION ledger_broken(p_place text, p_seq bigint, p_ids uuid[]) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
  broken jsonb;
BEGIN
  SELECT jsonb_build_object('table', 'ledger_batch', 'id', b.place || '/' || b.seq) INTO broken
    FROM ledger_batch b WHERE b.place = p_place AND b.seq = p_seq AND b.algorithm = 'sha256'
     AND b.head <> sha256('\x02'::bytea || convert_to(ledger_batch_line(b.place, b.seq, b.previous_head, b.root, b.algorithm,
           b.count, b.total, b.posted_at, b.period, b.by_id, b.note), 'UTF8'));
  IF FOUND THEN RETURN broken; END IF;
  SELECT jsonb_build_object('table', 'ledger_account', 'id', a.id) INTO broken
    FROM unnest(p_ids) AS u(id) JOIN ledger_account a ON a.id = u.id
    LEFT JOIN LATERAL (SELECT sum(p.earned - p.deducted - p.spent - p.expired + p.adjusted) AS points
                         FROM ledger_periodtotal p WHERE p.account = a.id) t ON a.kind = 'holder'
   WHERE a.seal <> ledger_account_seal(a.id, a.may_go_negative, a.opened_on, a.closed_on)
      OR a.kind = 'holder' AND a.credits - a.debits <> coalesce(t.points, 0) LIMIT 1;
  RETURN broken;
END $$;

-- A village with an open alarm takes no entries until a named person lifts it.
CREATE OR REPLACE FUNCTION ledger_is_stopped(p_place text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN EXISTS (SELECT FROM ledger_alarm a WHERE a.place = p_place AND a.lifted_at IS NULL);
END $$;
