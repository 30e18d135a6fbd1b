"""The offline bundle is checked before anything of it runs; the list of packages is whole and needs no network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import bundle, sbom

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def folder(tmp_path):
    """A small bundle with the shape of a real one."""
    home = tmp_path / "bundle"
    for name in ("source.tar", "install.py", "COMMIT", "wheels/a-1.whl", "npm/_cacache/content-v2/x"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(name.encode() * 50)
    assert bundle.write_sums(home) == 5
    return home


def test_a_whole_bundle_passes_and_sha256sum_agrees(folder):
    """O-10: the list is the ordinary one, so any administrator can check it without our program."""
    assert bundle.check(folder) == 5
    said = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True
    )
    assert said.returncode == 0 and said.stdout.count("OK") == 5


@pytest.mark.parametrize("name", ["source.tar", "install.py", "wheels/a-1.whl", "npm/_cacache/content-v2/x"])
def test_a_changed_byte_is_refused_by_name(folder, name):
    """O-10."""
    path = folder / name
    data = path.read_bytes()
    path.write_bytes(data[:7] + bytes([data[7] ^ 1]) + data[8:])
    with pytest.raises(bundle.BundleError, match=f"{name} 与清单对不上"):
        bundle.check(folder)


def test_missing_added_and_linked_files_are_refused(folder, tmp_path):
    """O-10: also a file the list forgot, a list that forgot what must be there, and a link to somewhere else."""
    extra = folder / "wheels" / "evil-1.whl"
    extra.write_bytes(b"x")
    with pytest.raises(bundle.BundleError, match=r"多出文件 wheels/evil-1\.whl"):
        bundle.check(folder)
    extra.unlink()
    wheel = folder / "wheels" / "a-1.whl"
    data = wheel.read_bytes()
    wheel.unlink()
    with pytest.raises(bundle.BundleError, match=r"缺文件 wheels/a-1\.whl"):
        bundle.check(folder)
    (tmp_path / "same").write_bytes(data)
    wheel.symlink_to(tmp_path / "same")
    with pytest.raises(bundle.BundleError, match="与清单对不上"):
        bundle.check(folder)
    wheel.unlink()
    (folder / "install.py").unlink()
    bundle.write_sums(folder)
    with pytest.raises(bundle.BundleError, match=r"缺文件 install\.py"):
        bundle.check(folder)


@pytest.mark.parametrize("text", [None, "", "nonsense\n", "\xff"])
def test_a_list_that_cannot_be_read_is_refused(folder, text):
    """O-10: no list, no install."""
    sums = folder / "SHA256SUMS"
    sums.unlink()
    if text is not None:
        sums.write_bytes(text.encode("latin-1"))
    with pytest.raises(bundle.BundleError):
        bundle.check(folder)


def test_install_runs_nothing_of_a_bad_bundle(folder, tmp_path):
    """O-10: exit 1, words, and the target is not even made; nor is a folder in use written over."""
    (folder / "source.tar").write_bytes(b"changed")
    target = tmp_path / "county"
    command = [sys.executable, "-I", str(ROOT / "tools/bundle.py"), "install", str(folder), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "source.tar 与清单对不上" in done.stderr and not target.exists()
    target.mkdir()
    (target / "data").write_text("x")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "不是空的" in done.stderr and (target / "data").read_text() == "x"


def test_every_locked_package_stands_in_the_list_with_its_digests():
    """W-10: one component per package, each with a digest, the same bytes each time; dev packages marked."""
    found = sbom.document()
    parts = {one["bom-ref"]: one for one in found["components"]}
    assert len(parts) == len(found["components"]) > 80 and found == sbom.document()
    assert all(one["hashes"] and one["purl"].startswith(("pkg:pypi/", "pkg:npm/")) for one in parts.values())
    names = {one["name"]: one.get("scope", "required") for one in parts.values()}
    assert names["django"] == names["cryptography"] == names["echarts"] == "required"
    assert names["pytest"] == names["axe-core"] == "excluded"
    locked = [line.split("==")[0] for line in (ROOT / "requirements/base.txt").read_text().splitlines()
              if re.match(r"[a-z0-9]", line)]  # fmt: skip
    assert len(locked) > 30 and {re.sub(r"[-_.]+", "-", name).lower() for name in locked} <= set(names)


@pytest.mark.parametrize(
    "text", ["django==5.2\n", "    --hash=sha256:" + "0" * 64, "a==1 \\\n    --hash=md5:00\n"]
)
def test_a_package_without_a_digest_is_refused(text):
    """W-10: pinned hashes, or no list."""
    with pytest.raises(ValueError):
        sbom.python_packages(text)


@pytest.mark.parametrize("facts", [{"version": "1"}, {"version": "1", "integrity": "md5-x"}])
def test_an_npm_package_without_a_digest_is_refused(facts):
    """W-10."""
    with pytest.raises(ValueError):
        sbom.npm_packages({"packages": {"": {}, "node_modules/x": facts}})
