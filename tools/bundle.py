"""The offline install bundle (O-10): everything a county server needs, in one folder, installable with no network.

    python tools/bundle.py make OUT        on a machine with a network: sources, wheels, npm packages, checksums
    python3 tools/bundle.py check FOLDER   anywhere: every file against SHA256SUMS
    python3 tools/bundle.py install FOLDER TARGET      on the county's server: check, then install into TARGET

OUT/source (this commit), OUT/wheels (for the machine that makes it, and any --platform), OUT/npm (npm's own cache),
OUT/SHA256SUMS (the format of sha256sum), OUT/install.py (this file). Standard library only. Messages that the county's
administrator meets are Chinese.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUMS = "SHA256SUMS"
ALWAYS = ("source.tar", "install.py")


class BundleError(Exception):
    """The bundle cannot be used; the message says which file and what to do."""


def digest(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def write_sums(folder: Path) -> int:
    """SHA256SUMS over every file of the bundle. Returns how many."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != SUMS)
    text = "".join(f"{digest(p)}  {p.relative_to(folder).as_posix()}\n" for p in paths)
    (folder / SUMS).write_text(text, encoding="utf-8")
    return len(paths)


def check(folder: Path) -> int:
    """Every file against the list. Returns how many. Raises BundleError naming the first bad one."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        listed = {name: value for value, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError, UnicodeDecodeError):
        raise BundleError(f"{folder} 里没有 {SUMS}，或者它坏了。请重新拷贝整个安装包。") from None
    present = {
        p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file() or p.is_symlink()
    }
    present.pop(SUMS, None)
    for name in sorted({*listed, *present, *ALWAYS}):
        if name not in present:
            raise BundleError(f"安装包缺文件 {name}。请重新拷贝整个安装包。")
        if name not in listed:
            raise BundleError(f"安装包多出文件 {name}，清单里没有。请重新拷贝，并查明是谁放进来的。")
        if present[name].is_symlink() or digest(present[name]) != listed[name]:
            raise BundleError(f"安装包里的 {name} 与清单对不上，拷坏了或被改动过。请重新拷贝整个安装包。")
    return len(listed)


def make(out: Path, platforms: list[str]) -> None:
    """Build the bundle from the committed sources and the lock files."""
    if out.exists() and any(out.iterdir()):
        raise BundleError(f"{out} is not empty")
    (out / "wheels").mkdir(parents=True)
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True).strip()
    subprocess.run(["git", "archive", "-o", str(out / "source.tar"), commit], cwd=ROOT, check=True)
    python = str(ROOT / ".venv" / "bin" / "python")
    for lock in ("base.txt", "node.txt"):
        command = [python, "-m", "pip", "download", "--require-hashes", "--only-binary", ":all:", "--quiet",
                   "-r", f"requirements/{lock}", "-d", str(out / "wheels")]  # fmt: skip
        subprocess.run(command, cwd=ROOT, check=True)
        for platform in platforms:
            subprocess.run(
                [*command, "--platform", platform, "--python-version", "3.11"], cwd=ROOT, check=True
            )
    with tempfile.TemporaryDirectory() as place:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            if (ROOT / name).exists():
                shutil.copy(ROOT / name, place)
        command = [
            "npm",
            "ci",
            "--omit=dev",
            "--ignore-scripts",
            "--cache",
            str(out / "npm"),
            "--no-audit",
            "--no-fund",
        ]
        env = {**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        subprocess.run(command, cwd=place, check=True, env=env, stdout=subprocess.DEVNULL)
    shutil.rmtree(out / "npm" / "_logs", ignore_errors=True)
    shutil.copy(Path(__file__), out / "install.py")
    (out / "COMMIT").write_text(commit + "\n")
    count = write_sums(out)
    size = sum(p.stat().st_size for p in out.rglob("*") if p.is_file())
    print(f"{count} files, {size / 1e6:.0f} MB in {out}, commit {commit[:12]}")


def install(folder: Path, target: Path) -> None:
    """Check everything, then install into a new folder; pip and npm are told that there is no network."""
    if sys.version_info < (3, 11):
        raise BundleError(f"要 Python 3.11 以上，这里是 {sys.version.split()[0]}。")
    if target.exists() and any(target.iterdir()):
        raise BundleError(f"{target} 不是空的，请换一个新的文件夹。")
    started = time.monotonic()
    print(f"核对了 {check(folder)} 个文件。", flush=True)
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / "source.tar") as tar:
        tar.extractall(target, filter="data")
    with tempfile.TemporaryDirectory() as cache:
        # npm writes into its cache even when it only reads; the bundle stays as it was checked.
        shutil.copytree(folder / "npm", Path(cache) / "npm")
        env = {
            **os.environ,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str((folder / "wheels").resolve()),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "npm_config_offline": "true",
            "npm_config_cache": str(Path(cache) / "npm"),
            "npm_config_audit": "false",
            "npm_config_fund": "false",
        }
        done = subprocess.run([sys.executable, "tools/bootstrap.py"], cwd=target, env=env, check=False)
    if done.returncode:
        raise BundleError("没有装成，上面写着是哪一步。安装包没有改动，可以删掉目标文件夹再装一次。")
    print(f"装好了，用时 {time.monotonic() - started:.0f} 秒。接着看 docs/使用手册/管理员.md。")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="智理离线安装包")
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("make")
    one.add_argument("out", type=Path)
    one.add_argument("--platform", action="append", default=[], help="e.g. manylinux_2_28_aarch64")
    verbs.add_parser("check").add_argument("folder", type=Path)
    two = verbs.add_parser("install")
    two.add_argument("folder", type=Path)
    two.add_argument("target", type=Path)
    options = parser.parse_args(arguments)
    try:
        if options.verb == "make":
            make(options.out.resolve(), options.platform)
        elif options.verb == "check":
            print(f"核对了 {check(options.folder)} 个文件，都对。")
        else:
            install(options.folder.resolve(), options.target.resolve())
    except BundleError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
