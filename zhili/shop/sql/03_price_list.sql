-- A published list keeps its days: moving them would change a price without changing a price (G-15).
CREATE OR REPLACE FUNCTION shop_keep_price_list() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '价目表已经公布，不能改期，也不能删除' USING ERRCODE = 'check_violation', CONSTRAINT = 'price_list_frozen';
END $$;
CREATE TRIGGER keep_price_list BEFORE UPDATE OR DELETE ON shop_pricelist FOR EACH ROW EXECUTE FUNCTION shop_keep_price_list();
