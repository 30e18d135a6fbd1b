"""Above the cap the card is not enough: the form in which PIN, signed slip or second staff member come in (N-07)."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from zhili.claims.photos import Stored, discard, store_photo
from zhili.claims.stash import fetch, keep, present
from zhili.common.errors import ZhiliError
from zhili.people.models import Household, User
from zhili.shop.errors import ShopError
from zhili.shop.proofs import NO_PROOF, Proof, pin_is_right, second_staff

WAYS: Final = (("pin", "本户的兑换密码"), ("signature", "拍下签名"), ("second", "第二位工作人员在场"))


class ProofForm(forms.Form):
    """What the customer, the camera or the second staff member adds. The photo is kept while the rest is corrected."""

    proof = forms.ChoiceField(label="怎样核对本人", choices=WAYS, widget=forms.RadioSelect, required=False)
    pin = forms.CharField(
        label="请本户的人自己按密码", required=False, max_length=6,
        widget=forms.PasswordInput(attrs={"inputmode": "numeric", "autocomplete": "off", "pattern": "[0-9]*"}),
    )  # fmt: skip
    signature = forms.FileField(
        label="签名单的照片", required=False,
        widget=forms.FileInput(attrs={"accept": "image/*", "capture": "environment"}),
    )  # fmt: skip
    kept = forms.CharField(required=False, max_length=30, widget=forms.HiddenInput)
    second_name = forms.CharField(
        label="第二位的登录名", required=False, max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )  # fmt: skip
    second_password = forms.CharField(
        label="第二位的密码", required=False, max_length=200, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    nothing = NO_PROOF

    def __init__(self, *args: Any, by: User, own: bool = False, **more: Any) -> None:
        super().__init__(*args, **more)
        self.by = by
        if own:  # nobody serves the own household alone
            self.fields["proof"].choices = [WAYS[2]]  # type: ignore[attr-defined]
            self.initial.setdefault("proof", "second")

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        upload = data.get("signature")
        if upload:
            try:
                data["kept"] = keep(self.by, upload)
                typed: Any = self.data
                self.data = {**typed.dict(), "kept": data["kept"]}
            except ZhiliError as error:
                self.add_error("signature", str(error))
        return data

    @property
    def photo_kept(self) -> bool:
        """Whether a signed slip was photographed already and waits."""
        return bool(present(self.by, [self.data.get("kept", "")])) if self.is_bound else False


def proof_from(form: ProofForm, by: User, household: Household) -> Proof:
    """The proof that was chosen, checked as far as it can be before points move. Raises ShopError, PhotoError."""
    if not form.is_valid():
        raise ShopError("还没有核对好本人", field="proof", hint="请看下面红字。", word="proof")
    data = form.cleaned_data
    if data["proof"] == "pin":
        if not data["pin"]:
            raise ShopError("请本户的人按密码", field="pin", hint="没有密码的，换一种方式。", word="proof")
        if not pin_is_right(household, data["pin"]):
            raise ShopError(
                "密码不对", field="pin", hint="请再按一次，或改用签名照片、第二位工作人员。", word="proof"
            )
        return Proof(pin=data["pin"])
    if data["proof"] == "signature":
        tokens = present(by, [data["kept"]])
        if not tokens:
            raise ShopError("请拍下签了名的单子", field="signature", hint="字要看得清。", word="proof")
        return Proof(signature=store_photo(household.place, fetch(by, tokens[0])).name)
    if data["proof"] == "second":
        second = second_staff(by=by, name=data["second_name"], password=data["second_password"])
        return Proof(second=second)
    raise ShopError("请选一种核对方式", field="proof", hint="密码、签名照片或第二位工作人员。", word="proof")


def drop_photo(household: Household, proof: Proof) -> None:
    """The deed was refused: the signature it would have named goes; the kept one waits for the next try."""
    if proof.signature:
        discard(household.place, [Stored(proof.signature, "", 0)])
