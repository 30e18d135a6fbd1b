"""A real headless Chromium against a real server process: how journeys, screenshots and axe-core are run.

The browser is the one npm brought (tools/chromium.mjs unpacks it once into .cache/chromium, with the system
libraries it carries); Debian's own is the fallback. Nothing the pages ask for may leave 127.0.0.1.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Browser, BrowserContext, Error, Page, Playwright

if TYPE_CHECKING:  # Django is not up yet when pytest reads this file
    from zhili.people.models import User

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = ROOT / ".cache" / "chromium"
SHOTS = ROOT / "screenshots"
SIZES = {"320": (320, 568), "360": (360, 640), "1280": (1280, 800)}
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
]  # fmt: skip
FONTCONFIG = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir>
<alias><family>sans-serif</family><prefer><family>Noto Sans SC</family></prefer></alias>
<alias><family>serif</family><prefer><family>Noto Sans SC</family></prefer></alias>
<alias><family>monospace</family><prefer><family>Noto Sans SC</family></prefer></alias></fontconfig>
"""
WECHAT = (
    "Mozilla/5.0 (Linux; Android 10; Mobile) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/86.0.4240.99 "
    "XWEB/4317 MMWEBSDK/20220505 Mobile Safari/537.36 MicroMessenger/8.0.23.2160 WeChat/arm64 Language/zh_CN"
)


def launch(playwright: Playwright) -> Browser:
    """The first browser that starts here; which one it was is kept for the next run."""
    CHROMIUM.mkdir(parents=True, exist_ok=True)
    tried: list[str] = []
    with (CHROMIUM / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = CHROMIUM / "found.json"
        kept = [json.loads(known.read_text())] if known.exists() else []
        for choice in itertools.chain(kept, _choices(tried)):
            executable, args, env = choice
            if not Path(executable).exists():
                continue
            try:
                browser = playwright.chromium.launch(
                    executable_path=executable, args=args, env={**os.environ, **fonts_env(), **env},
                    chromium_sandbox=False, timeout=30_000,
                )  # fmt: skip
            except Error as error:
                tried.append(f"{executable} {env}: {error.message[-800:]}")
                continue
            known.write_text(json.dumps([executable, args, env]))
            return browser
    raise RuntimeError("no browser runs here; what was tried said:\n" + "\n".join(tried)[-3000:])


def _choices(tried: list[str]) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """(executable, arguments, environment): npm's, npm's with the libraries it carries, the machine's own."""
    node = shutil.which("node") or str(Path(sys.executable).with_name("node"))
    answer = subprocess.run(
        [node, ROOT / "tools" / "chromium.mjs", CHROMIUM],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    tried.append(answer.stderr)
    if answer.returncode == 0:
        said = json.loads(answer.stdout)
        args = list(dict.fromkeys([*said["args"], *ARGS]))
        yield said["executable"], args, {}
        yield said["executable"], args, {"LD_LIBRARY_PATH": said["libraries"]}
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            yield path, ARGS, {}


def fonts_env() -> dict[str, str]:
    """A font configuration of our own, so that Chinese is drawn, and drawn alike on every machine."""
    folder = CHROMIUM / "fontconfig"
    folder.mkdir(parents=True, exist_ok=True)
    fonts = folder / "fonts"
    fonts.mkdir(exist_ok=True)
    source = ROOT / "node_modules" / "@expo-google-fonts" / "noto-sans-sc"
    for weight in ("400Regular", "600SemiBold", "700Bold"):
        link = fonts / f"{weight}.ttf"
        if not link.exists():
            link.symlink_to(source / weight / f"NotoSansSC_{weight}.ttf")
    file = folder / "fonts.conf"
    file.write_text(FONTCONFIG.format(fonts=fonts, cache=folder / "cache"))
    return {"FONTCONFIG_FILE": str(file), "FONTCONFIG_PATH": str(folder)}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def serving(database: str) -> Iterator[str]:
    """The real `zhili serve` on a database of its own; yields its address."""
    port = free_port()
    env = {
        **os.environ, "ZHILI_DATABASE": database, "ZHILI_SERVER_LOG": "1",
        "ZHILI_URL": f"http://127.0.0.1:{port}",
    }  # fmt: skip
    log = (ROOT / ".cache" / f"server-{port}.log").open("w+")
    process = subprocess.Popen(
        [sys.executable, "-m", "zhili.config.command", "serve", "--no-worker", "--bind", f"127.0.0.1:{port}"],
        env=env, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process, log)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        log.close()


def _wait(url: str, process: subprocess.Popen[Any], log: Any) -> None:
    for _ in range(300):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/login/", timeout=5) as page:
                if page.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    log.seek(0)
    raise RuntimeError(f"the server did not start:\n{log.read()[-3000:]}")


def context_of(
    browser: Browser, url: str, size: str = "360", *, javascript: bool = True, **more: Any
) -> BrowserContext:
    """A fresh browser at one size, which may ask 127.0.0.1 and nobody else. What it was refused stands in `.outside`."""
    width, height = SIZES[size]
    phone = {"is_mobile": True, "has_touch": True, "user_agent": WECHAT} if size != "1280" else {}
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale="zh-CN", timezone_id="Asia/Shanghai", base_url=url,
        java_script_enabled=javascript, **{**phone, **more},
    )  # fmt: skip
    context.set_default_timeout(10_000)
    outside: list[str] = []
    context.outside = outside  # type: ignore[attr-defined]

    def gate(route: Any) -> None:
        address = route.request.url
        if address.startswith((url, "data:", "blob:")):
            route.continue_()
        else:
            outside.append(address)
            route.abort()

    context.route("**/*", gate)
    return context


def watched(context: BrowserContext) -> Page:
    """A page that remembers what its console complained about: a blocked style or script shows there."""
    page = context.new_page()
    complaints: list[str] = []
    page.complaints = complaints  # type: ignore[attr-defined]
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: complaints.append(str(e)))
    return page


def session_of(user: User) -> str:
    """A log-in without typing, for pages whose subject is not the log-in: the key of a fresh session."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from zhili.common.clock import now

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[1]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session["started_at"] = session["seen_at"] = session["proved_at"] = now().timestamp()
    session.save()
    return str(session.session_key)


def log_in(page: Page, session_key: str, url: str) -> None:
    """Give `page` the session made by `session_of` (in the server's database)."""
    page.context.add_cookies([{"name": "sessionid", "value": session_key, "url": url}])


def shoot(page: Page, name: str, *, full: bool = False) -> Path:
    """Save screenshots/<name>-<width>.png and return its path."""
    SHOTS.mkdir(exist_ok=True)
    assert page.viewport_size is not None
    path = SHOTS / f"{name}-{page.viewport_size['width']}.png"
    page.screenshot(path=path, full_page=full)
    return path


def axe(
    browser: Browser, url: str, path: str, *, size: str = "360", cookies: list[Any] | None = None
) -> list[str]:
    """Serious and critical findings of axe-core on one page, as sentences. CSP is bypassed in this context only."""
    context = context_of(browser, url, size, bypass_csp=True)
    try:
        if cookies:
            context.add_cookies(cookies)
        page = context.new_page()
        page.goto(path)
        page.add_script_tag(path=str(ROOT / "node_modules" / "axe-core" / "axe.min.js"))
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)")
    finally:
        context.close()
    return [
        f"{path} {one['id']}: {node['target']} {node.get('failureSummary', '')}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def overflow(page: Page) -> int:
    """How many pixels the page is wider than its window; 0 where nothing sticks out."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def small_targets(page: Page, least: int) -> list[str]:
    """Buttons, links that stand alone and inputs smaller than `least` pixels in height (U-03)."""
    return list(
        page.evaluate(
            """least => Array.from(document.querySelectorAll(
                'button, summary, select, input:not([type=hidden]):not([type=checkbox]):not([type=radio]), textarea,'
                + ' label.tick, label.choice, a.button, a.cell, a.plain-button, .tabs a, .big-actions a, .navlist a'))
              .filter(x => x.offsetParent !== null && x.getBoundingClientRect().height < least - 0.5)
              .map(x => x.tagName + '.' + x.className + ' ' + x.textContent.trim().slice(0, 20) + ' '
                + Math.round(x.getBoundingClientRect().height))""",
            least,
        )
    )
