-- What no one may do, whoever asks.

ALTER TABLE ledger_account SET (fillfactor = 80);
ALTER TABLE ledger_periodtotal SET (fillfactor = 80);

ALTER TABLE ledger_transfer ADD CONSTRAINT transfer_amount_positive CHECK (
  amount >= 0 AND short >= 0 AND amount + short > 0 AND debit <> credit);
ALTER TABLE ledger_transfer ADD CONSTRAINT transfer_shape CHECK (
  (phase IN ('posted', 'pending') AND pending_of IS NULL OR phase IN ('settled', 'voided') AND pending_of IS NOT NULL)
  AND (code = 'reverse') = (reverses IS NOT NULL));
-- The first half is the common case, decided by looking; the second parses.
ALTER TABLE ledger_transfer ADD CONSTRAINT transfer_cause_complete CHECK (
  code IN ('award', 'deduct') AND cause LIKE '{"actor":%,"channel":"%,"claim":"%,"evidence":[%,"item":"%,"number":"%,"reviewers":[%,"rule":%,"rule_version":%}'
    AND cause NOT LIKE '%:null%'
  OR ledger_cause_complete(code, cause));
ALTER TABLE ledger_account ADD CONSTRAINT account_words CHECK (purse ~ '^[0-9A-Za-z_]+$' AND place ~ '^[0-9]{12,14}$');

-- A receipt is the last 60 bits of a transfer's id; this finds it.
CREATE INDEX transfer_receipt ON ledger_transfer (substr(uuid_send(id), 9));

CREATE OR REPLACE FUNCTION ledger_keep_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '账户不能删除，也不能改换户、存折或所属村' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER keep_account BEFORE UPDATE OF id, place, kind, owner, purse, opened_on OR DELETE ON ledger_account
  FOR EACH ROW EXECUTE FUNCTION ledger_keep_account();
CREATE TRIGGER keep_account_truncate BEFORE TRUNCATE ON ledger_account
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_keep_account();
CREATE TRIGGER keep_total BEFORE UPDATE OF account, period, place OR DELETE ON ledger_periodtotal
  FOR EACH ROW EXECUTE FUNCTION ledger_keep_account();
CREATE TRIGGER keep_total_truncate BEFORE TRUNCATE ON ledger_periodtotal
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_keep_account();

-- A household that still holds points cannot be merged, moved away or closed (L-12).
CREATE OR REPLACE FUNCTION ledger_household_is_empty() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM ledger_account a WHERE a.kind = 'holder' AND a.owner = NEW.id
             AND (a.credits <> a.debits OR a.reserved <> 0)) THEN
    RAISE EXCEPTION '户 % 的存折里还有积分或未取走的兑换，要先转出才能销户', NEW.code
      USING ERRCODE = 'check_violation', CONSTRAINT = 'household_has_points';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER household_is_empty BEFORE UPDATE OF status, closed_on ON people_household
  FOR EACH ROW WHEN (NEW.closed_on IS NOT NULL AND OLD.closed_on IS NULL)
  EXECUTE FUNCTION ledger_household_is_empty();

REVOKE ALL ON FUNCTION ledger_post, ledger_close_period, ledger_open_accounts, ledger_close_accounts FROM PUBLIC;
