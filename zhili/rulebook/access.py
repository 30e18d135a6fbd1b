"""Who may write a rule book, and who may let it bind the village: never the same person (A-07).

Who wrote on the text is out of its adoption, filing, legal override and coming into force. Supervisors read all
of it and do none of it.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import rules

from zhili.common.errors import NotAllowed, NotFound
from zhili.common.policy import may
from zhili.people.models import Membership, User
from zhili.places.queries import get_place
from zhili.rulebook.models import RuleBook

Role = Membership.Role
READERS: Final = (
    Role.CLERK, Role.GROUP_LEADER, Role.REVIEWER, Role.COUNCIL, Role.SUPERVISOR, Role.TOWNSHIP, Role.COUNTY,
)  # fmt: skip
WRITERS: Final = (Role.CLERK, Role.TOWNSHIP)
VILLAGE_DIGITS: Final = 12

# Permission → (roles, whether an author of the text is kept out, what a refusal calls it).
PERMISSIONS: Final[dict[str, tuple[tuple[str, ...], bool, str]]] = {
    "rulebook.see": (READERS, False, "查看积分细则的各个版本"),
    "rulebook.whatif": (
        (Role.CLERK, Role.COUNCIL, Role.SUPERVISOR, Role.TOWNSHIP, Role.COUNTY), False, "用往年的记录试算",
    ),
    "rulebook.write": (WRITERS, False, "起草或修改积分细则"),
    "rulebook.consult": (WRITERS, False, "发出征求意见"),
    "rulebook.adopt": ((Role.COUNCIL, Role.CLERK, Role.TOWNSHIP), True, "登记表决结果"),
    "rulebook.file": ((Role.TOWNSHIP,), True, "登记备案"),
    "rulebook.override": ((Role.TOWNSHIP, Role.COUNTY), True, "登记法制审核意见"),
    "rulebook.put_in_force": (
        (Role.COUNCIL, Role.CLERK, Role.TOWNSHIP, Role.COUNTY), True, "宣布积分细则施行",
    ),
    "rulebook.take_over": ((Role.TOWNSHIP, Role.COUNTY), True, "把已在纸上通过的细则直接登记施行"),
    "rulebook.withdraw": (WRITERS, False, "撤回积分细则"),
}  # fmt: skip


def wrote(user: Any, book: RuleBook) -> bool:
    """Whether the person drafted this version or changed its text."""
    return user.pk == book.created_by_id or user.pk in book.authors


def _predicate(roles: tuple[str, ...], authors_out: bool) -> Any:
    def holds(user: User, obj: RuleBook | str | None = None) -> bool:
        place = obj.place if isinstance(obj, RuleBook) else obj
        if not user.has_role(*roles, place=place):
            return False
        return not (authors_out and isinstance(obj, RuleBook) and wrote(user, obj))

    return rules.predicate(holds)


for _name, (_roles, _authors_out, _title) in PERMISSIONS.items():
    rules.add_perm(_name, _predicate(_roles, _authors_out))


def must(user: Any, permission: str, obj: RuleBook | str) -> None:
    """NotAllowed, saying whether it is the role or the authorship that stands in the way."""
    if may(user, permission, obj):
        return
    roles, authors_out, title = PERMISSIONS[permission]
    if (
        authors_out
        and isinstance(obj, RuleBook)
        and wrote(user, obj)
        and user.has_role(*roles, place=obj.place)
    ):
        raise NotAllowed(f"起草人不能自己{title}，请由另一位有权限的人办理")
    raise NotAllowed(f"您的身份不能{title}，要由{who(permission)}办理")


def who(permission: str) -> str:
    """The roles that may, in words: 村文书、乡镇干部."""
    roles, authors_out, _ = PERMISSIONS[permission]
    names = "、".join(str(Role(role).label) for role in roles)
    return f"{names}（起草人除外）" if authors_out else names


def access_village(by: Any, place: str) -> str:
    """The code, where it is a village whose rule books `by` may see. NotFound for absent and foreign alike."""
    if (
        len(place) != VILLAGE_DIGITS
        or not place.isascii()
        or not place.isdigit()
        or not may(by, "rulebook.see", place)
    ):
        raise NotFound("没有这个村。")
    return get_place(place).code


def access_book(by: Any, place: str, book_id: UUID | str) -> RuleBook:
    """A version of this village, for whoever works there. NotFound for absent and foreign alike (A-04)."""
    found = RuleBook.objects.filter(pk=book_id, place=place).select_related("created_by").first()
    if found is None or not may(by, "rulebook.see", found):
        raise NotFound("没有这一版积分细则。")
    return found
