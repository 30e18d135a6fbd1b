"""Every write of the shop, by the file that explains it."""

from zhili.shop.goods import (
    Counted,
    add_good,
    add_prices,
    add_supplier,
    ask_count,
    edit_good,
    edit_shop,
    open_shop,
    publish_prices,
    sign_count,
    stock_in,
    take_back,
)
from zhili.shop.money import change_settings, deposit, open_fund, pay_partner, settle_floating
from zhili.shop.ordering import Visit, Wanted, cancel, expire_orders, hand_over, redeem, reserve
from zhili.shop.proofs import Proof, pin_is_right, set_pin

__all__ = [
    "Counted",
    "Proof",
    "Visit",
    "Wanted",
    "add_good",
    "add_prices",
    "add_supplier",
    "ask_count",
    "cancel",
    "change_settings",
    "deposit",
    "edit_good",
    "edit_shop",
    "expire_orders",
    "hand_over",
    "open_fund",
    "open_shop",
    "pay_partner",
    "pin_is_right",
    "publish_prices",
    "redeem",
    "reserve",
    "set_pin",
    "settle_floating",
    "sign_count",
    "stock_in",
    "take_back",
]
