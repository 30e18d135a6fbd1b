"""Make .venv and node_modules on a machine that has only python3, make and git. Standard library only.

    python3 tools/bootstrap.py [--dev]

Each step leaves a stamp with the digest of what it was made from, so a second run does nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
CACHE = ROOT / ".cache"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / "python"
# What a page needs, and nothing else of the packages.
VENDOR = {
    "@tabler/core/dist/css/tabler.min.css": "tabler.css",
    "@tabler/core/dist/js/tabler.min.js": "tabler.js",
    "weui/dist/style/weui.min.css": "weui.css",
    "echarts/dist/echarts.min.js": "echarts.js",
}
# Symbols of @tabler/icons that pages use by name: {% icon "home" %}.
ICONS = [
    "alert-circle",
    "alert-triangle",
    "arrow-right",
    "award",
    "ban",
    "basket",
    "bell",
    "book",
    "book-2",
    "building-store",
    "calendar",
    "camera",
    "chart-bar",
    "check",
    "checklist",
    "chevron-down",
    "chevron-left",
    "chevron-right",
    "chevron-up",
    "circle-check",
    "circle-minus",
    "circle-x",
    "clipboard-text",
    "clock",
    "copy",
    "device-mobile",
    "download",
    "edit",
    "external-link",
    "eye",
    "file-download",
    "file-spreadsheet",
    "filter",
    "flag",
    "gift",
    "hand-stop",
    "heart-handshake",
    "help-circle",
    "history",
    "home",
    "id-badge-2",
    "inbox",
    "info-circle",
    "key",
    "list",
    "list-check",
    "lock",
    "logout",
    "map-pin",
    "menu-2",
    "message-2",
    "message-report",
    "minus",
    "news",
    "notes",
    "pencil",
    "phone",
    "photo",
    "plant-2",
    "plus",
    "printer",
    "qrcode",
    "question-mark",
    "receipt",
    "refresh",
    "scale",
    "scan",
    "search",
    "selector",
    "settings",
    "shield-check",
    "shopping-bag",
    "speakerphone",
    "star",
    "sun",
    "trash",
    "upload",
    "user",
    "user-plus",
    "users",
    "cloud-off",
    "users-group",
    "volume",
    "wallet",
    "x",
]


def digest(*paths: Path) -> str:
    """One digest over the bytes of some files."""
    total = hashlib.sha256()
    for path in paths:
        total.update(path.read_bytes())
    return total.hexdigest()


def done(name: str, value: str) -> bool:
    """Whether step `name` was finished for `value` already."""
    stamp = CACHE / f"{name}.stamp"
    return stamp.exists() and stamp.read_text() == value


def mark(name: str, value: str) -> None:
    CACHE.mkdir(exist_ok=True)
    (CACHE / f"{name}.stamp").write_text(value)


def say(text: str) -> None:
    print(f"==> {text}", flush=True)


def run(*command: str | Path, **more: object) -> None:
    subprocess.run([str(part) for part in command], check=True, cwd=ROOT, **more)  # type: ignore[call-overload]


def make_venv() -> None:
    if sys.version_info < (3, 11):
        sys.exit(f"Zhili needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    if PYTHON.exists() and (BIN / "pip").exists():
        return
    say("making .venv")
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        # Debian and Ubuntu split this off from python3.
        package = f"python3.{sys.version_info.minor}-venv"
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            sys.exit(f"This Python has no ensurepip. Install it once: apt-get install {package}")
        say(f"this Python has no ensurepip: installing {package}")
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-y", "-qq", package)
        # A fresh interpreter sees the module that was installed just now.
        run(sys.executable, "-m", "venv", VENV)
        return
    venv.create(VENV, with_pip=True)


def install_python(dev: bool) -> None:
    lock = ROOT / "requirements" / ("dev.txt" if dev else "base.txt")
    value = digest(lock) + sys.version.split()[0]
    name = "python-dev" if dev else "python"
    if done(name, value) or (
        not dev and done("python-dev", digest(lock.with_name("dev.txt")) + sys.version.split()[0])
    ):
        return
    say(f"installing Python packages from {lock.relative_to(ROOT)}")
    run(PYTHON, "-m", "pip", "install", "--require-hashes", "--quiet", "--progress-bar", "on", "-r", lock)
    mark(name, value)


def install_command() -> None:
    """Put the package on .venv's path and `zhili` into its bin, without a build step."""
    site = subprocess.check_output(
        [str(PYTHON), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    ).strip()
    (Path(site) / "zhili.pth").write_text(f"{ROOT}\n")
    script = BIN / "zhili"
    script.write_text(f"#!{PYTHON}\nimport sys\nfrom zhili.config.command import main\nsys.exit(main())\n")
    script.chmod(0o755)


def node_env() -> dict[str, str]:
    """PATH with a Node of version 18 or newer: the machine's, or the one from the wheel."""
    env = dict(os.environ)
    found = shutil.which("node")
    if found and shutil.which("npm"):
        major = subprocess.check_output([found, "--version"], text=True).lstrip("v").split(".")[0]
        if int(major) >= 18:
            return env
    lock = ROOT / "requirements" / "node.txt"
    if not done("node", digest(lock)):
        say("this machine has no Node: installing it into .venv")
        run(PYTHON, "-m", "pip", "install", "--require-hashes", "--quiet", "-r", lock)
        mark("node", digest(lock))
    env["PATH"] = f"{BIN}{os.pathsep}{env['PATH']}"
    return env


def install_node(dev: bool) -> None:
    value = digest(ROOT / "package-lock.json")
    name = "npm-dev" if dev else "npm"
    present = (ROOT / "node_modules").exists()
    if present and (done("npm-dev", value) or (not dev and done(name, value))):
        return
    say("installing front-end files with npm")
    env = node_env()
    run("npm", "ci", *([] if dev else ["--omit=dev"]), env=env)
    mark(name, value)
    if dev:
        mark("npm", value)


def copy_vendor() -> None:
    """Copy what pages need out of node_modules; again whenever this file or the lock changes."""
    value = digest(ROOT / "package-lock.json", Path(__file__))
    target = ROOT / "zhili" / "web" / "static" / "vendor"
    if target.exists() and done("vendor", value):
        return
    target.mkdir(parents=True, exist_ok=True)
    for source, final in VENDOR.items():
        text = (ROOT / "node_modules" / source).read_bytes()
        # Source maps are not shipped; a reference to one would fail where static names carry digests.
        lines = [line for line in text.split(b"\n") if b"sourceMappingURL=" not in line]
        (target / final).write_bytes(b"\n".join(lines))
    (target / "icons").mkdir(exist_ok=True)
    for name in ICONS:
        shutil.copyfile(
            ROOT / "node_modules/@tabler/icons/icons/outline" / f"{name}.svg",
            target / "icons" / f"{name}.svg",
        )
    mark("vendor", value)


def collect_static() -> None:
    sources = sorted(p for p in (ROOT / "zhili").rglob("static/**/*") if p.is_file())
    value = hashlib.sha256("".join(f"{p}{p.stat().st_mtime_ns}" for p in sources).encode()).hexdigest()
    if done("static", value) and (CACHE / "static").exists():
        return
    say("collecting static files")
    run(PYTHON, "-m", "django", "collectstatic", "--noinput", "--clear", "-v0",
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "zhili.config.settings"})  # fmt: skip
    mark("static", value)


def main() -> None:
    dev = "--dev" in sys.argv
    os.chdir(ROOT)
    make_venv()
    install_python(dev)
    install_command()
    install_node(dev)
    copy_vendor()
    collect_static()


if __name__ == "__main__":
    main()
