"""WeChat and DingTalk log-in against a stand-in that answers as their documents say (N-01, U-20): a known number comes in,
an unknown one waits for the clerk or for three facts, and two for one person are a dispute."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from django.urls import reverse

from zhili.audit.models import Entry
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.outgoing import read_origins
from zhili.people.actions import add_resident
from zhili.people.errors import PeopleError
from zhili.people.identities import access_dispute, bind_by_code, decide_dispute, wait_for_clerk
from zhili.people.models import IdentityDispute, Resident

pytestmark = pytest.mark.django_db
NAME, ID_NUMBER = "慕容演示春", "11010519491231002X"
WECHAT = {"HTTP_USER_AGENT": "Mozilla/5.0 (Linux; Android 12) MicroMessenger/8.0"}


class StandIn(BaseHTTPRequestHandler):
    """openid of the next person; `broken`: what the platform answers instead. asked: every request it got."""

    openid = "o-one"
    broken: dict[str, Any] | None = None
    asked: list[str] = []

    def do_GET(self) -> None:
        StandIn.asked.append(self.path)
        if self.path.startswith("/sns/oauth2/access_token"):
            self._say(
                {"access_token": "t", "expires_in": 7200, "openid": self.openid, "scope": "snsapi_base"}
            )
        else:
            self._say({"openId": self.openid, "unionId": "u", "nick": "某人", "mobile": "13900000000"})

    def do_POST(self) -> None:
        StandIn.asked.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        self._say({"accessToken": "t", "refreshToken": "r", "expireIn": 7200})

    def _say(self, body: dict[str, Any]) -> None:
        data = json.dumps(self.broken if self.broken is not None else body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def platform(settings) -> Iterator[type[StandIn]]:
    StandIn.openid, StandIn.broken, StandIn.asked = "o-one", None, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    settings.OUTGOING_ORIGINS = read_origins(url)
    settings.SOCIALACCOUNT_PROVIDERS = {
        "weixin": {
            "API_URL": url,
            "APPS": [
                {"client_id": "wx-mp", "secret": "s", "settings": {"kind": "mp"}},
                {"client_id": "wx-web", "secret": "s", "settings": {"kind": "web"}},
            ],
        },
        "dingtalk": {
            "API_URL": url,
            "APPS": [{"client_id": "dd-1", "secret": "s", "settings": {"kind": ""}}],
        },
    }
    yield StandIn
    server.shutdown()
    server.server_close()
    thread.join(5)


def there_and_back(openid: str, provider: str = "weixin", client: Client | None = None) -> tuple[Client, Any]:
    """To the platform and back with its code, as this person."""
    client = client or Client(**WECHAT)
    StandIn.openid = openid
    away = client.get(reverse(f"{provider}_login"))
    assert away.status_code == 302
    state = parse_qs(urlsplit(away["Location"]).query)["state"][0]
    name = "authCode" if provider == "dingtalk" else "code"
    back = client.get(reverse(f"{provider}_callback"), {name: "c", "code": "c", "state": state}, follow=True)
    return client, back


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def the_code(client: Client) -> str:
    page = client.post(reverse("identity_waiting")).content.decode()
    found = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}", page)
    assert found is not None
    return found.group()


@pytest.mark.parametrize("provider", ["weixin", "dingtalk"])
def test_the_clerk_binds_who_stands_before_her(cast: SimpleNamespace, platform, provider: str) -> None:
    """N-01: an unknown number opens nothing; the clerk types the code on the person's phone; from then on it comes in."""
    one = cast.villager.resident
    client, back = there_and_back("o-one", provider)
    assert not is_in(client) and "绑定" in back.content.decode()
    made = bind_by_code(by=cast.clerk, resident=one, code=the_code(client))
    assert isinstance(made, SocialAccount) and made.user == cast.villager
    app = "wx-mp" if provider == "weixin" else "dd-1"
    assert made.uid == f"{app}:o-one", "numbers are namespaced by the app they come from"
    assert made.extra_data == {}, "no nickname, no picture, no mobile"
    again, _ = there_and_back("o-one", provider)
    assert is_in(again) and again.get("/m/").status_code == 200
    assert Entry.objects.filter(action="accounts.bind", actor_id=cast.clerk.pk).count() == 1


def test_the_same_number_of_another_app_is_somebody_else(cast: SimpleNamespace, platform) -> None:
    """N-01: bound inside WeChat, it opens nothing on the website app."""
    client, _ = there_and_back("o-one")
    bind_by_code(by=cast.clerk, resident=cast.villager.resident, code=the_code(client))
    web, back = there_and_back("o-one", client=Client())
    assert not is_in(web) and "绑定" in back.content.decode()


def facts(client: Client, **changes: str) -> Any:
    data = {"name": NAME, "id_number": ID_NUMBER, "household_code": "1001"} | changes
    return client.post(reverse("identity_facts"), data)


@pytest.fixture
def grandma(cast: SimpleNamespace) -> Resident:
    return add_resident(by=cast.clerk, household=cast.household, name=NAME, id_number=ID_NUMBER)


def test_three_facts_at_once_bind(cast: SimpleNamespace, platform, grandma: Resident) -> None:
    """N-01: name, complete ID number and household number together."""
    client, _ = there_and_back("o-one")
    facts(client)
    assert is_in(client)
    assert SocialAccount.objects.get().user.resident == grandma


@pytest.mark.parametrize(
    "change", [{"name": "慕容演示夏"}, {"id_number": "110105194912310038"}, {"household_code": "1002"}, {"id_number": ""},
               {"household_code": ""}, {"id_number": "1949"}],
)  # fmt: skip
def test_two_facts_do_not(cast: SimpleNamespace, platform, grandma: Resident, change: dict[str, str]) -> None:
    """N-01: never by a name alone, and what did not fit is not said."""
    client, _ = there_and_back("o-one")
    answer = facts(client, **change)
    assert not is_in(client) and not SocialAccount.objects.exists()
    if all(change.values()):
        assert "填的内容和村里登记的对不上" in answer.content.decode()


def test_facts_cannot_be_guessed_through(cast: SimpleNamespace, platform, grandma: Resident) -> None:
    """N-01: five tries an identity, then a wait, even with the right ones."""
    client, _ = there_and_back("o-one")
    for n in range(5):
        facts(client, household_code=f"2{n:03d}")
    assert "太频繁" in facts(client).content.decode() and not is_in(client)


def test_two_identities_for_one_person_are_a_dispute(
    cast: SimpleNamespace, platform, grandma: Resident
) -> None:
    """N-01: the first stays until the clerk has seen the person; only the village's own clerk decides, never on herself."""
    first, _ = there_and_back("o-one")
    facts(first)
    second, _ = there_and_back("o-two")
    said = facts(second)
    assert (not is_in(second) and "争议" in said.content.decode()) or "已经" in said.content.decode()
    dispute = IdentityDispute.objects.get()
    assert is_in(there_and_back("o-one")[0]) and not is_in(there_and_back("o-two")[0])
    with pytest.raises(NotFound):
        access_dispute(cast.stranger_clerk, dispute.pk)
    for by in (cast.villager, cast.stranger_clerk, cast.supervisor):
        with pytest.raises(NotAllowed):
            decide_dispute(by=by, dispute=dispute, change=True, reason="看了身份证，本人换了手机")
    with pytest.raises(PeopleError, match="怎么核对"):
        decide_dispute(by=cast.clerk, dispute=dispute, change=True, reason=" ")
    decide_dispute(by=cast.clerk, dispute=dispute, change=True, reason="看了身份证，本人换了手机")
    assert not is_in(first), "the old one's log-ins have ended"
    assert not is_in(there_and_back("o-one")[0]) and is_in(there_and_back("o-two")[0])
    with pytest.raises(PeopleError, match="已经办过"):
        decide_dispute(by=cast.clerk, dispute=dispute, change=False, reason="再看一次")


@pytest.mark.parametrize(
    "who", ["villager", "stranger_clerk", "supervisor", "shopkeeper", "township", "county", "system_admin"]
)
def test_nobody_else_binds(cast: SimpleNamespace, who: str) -> None:
    """N-01: binding is the village clerk's; nobody binds themselves."""
    code = wait_for_clerk("weixin", "wx-mp:o-one")
    with pytest.raises(NotAllowed):
        bind_by_code(by=getattr(cast, who), resident=cast.head.resident, code=code)
    with pytest.raises(PeopleError, match="不能给自己绑定"):
        bind_by_code(by=cast.clerk, resident=cast.clerk.resident, code=code)
    assert not SocialAccount.objects.exists()


@pytest.mark.parametrize(
    "broken",
    [
        {"errcode": 40029, "errmsg": "invalid code"},
        {},
        {"access_token": "t"},
        {"access_token": "t", "openid": 7},
    ],
)
def test_what_the_platform_answers_wrongly_opens_nothing(
    cast: SimpleNamespace, platform, broken: dict[str, Any]
) -> None:
    """N-01: an old code, an answer without its number, a number that is none: one sentence and the way back."""
    platform.broken = broken
    client, back = there_and_back("o-one")
    assert not is_in(client) and back.status_code == 401 and "没有成功" in back.content.decode()


def test_an_answer_nobody_asked_for_is_refused(cast: SimpleNamespace, platform) -> None:
    """N-01: without the state this session was given, the platform is not even asked."""
    client = Client(**WECHAT)
    for state in ("", "made-up"):
        answer = client.get(reverse("weixin_callback"), {"code": "c", "state": state})
        assert answer.status_code in (401, 403) and not is_in(client)
    assert platform.asked == []


def test_without_an_app_there_is_no_such_way_in(cast: SimpleNamespace) -> None:
    """N-01, N-10: nothing set, nothing offered: the page does not exist and the log-in page has no button."""
    assert Client(**WECHAT).get(reverse("weixin_login")).status_code == 404
    assert "微信" not in Client().get("/login/").content.decode()
