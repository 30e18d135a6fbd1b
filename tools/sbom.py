"""Every package that is part of Zhili, with version and digests, as one CycloneDX 1.5 document (W-10).

    python tools/sbom.py [--out sbom.cdx.json]

Read from the lock files alone, so it says what would be installed, not what happens to be here, and needs no network.
Standard library only. `make audit` writes it and then, where the network allows, asks pip-audit and npm audit.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import sys
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_NAMED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)\s*(?:;\s*([^\\]*?))?\s*\\?$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_NPM_ALG = {"sha512": "SHA-512", "sha256": "SHA-256", "sha1": "SHA-1"}


def python_packages(text: str) -> list[dict[str, Any]]:
    """Components of one compiled requirements file. Raises ValueError for a package without a digest."""
    found: list[dict[str, Any]] = []
    for line in text.splitlines():
        named = _NAMED.match(line.strip())
        if named:
            name, version = re.sub(r"[-_.]+", "-", named[1]).lower(), named[2]
            one: dict[str, Any] = {
                "type": "library",
                "bom-ref": f"pkg:pypi/{name}@{version}",
                "name": name,
                "version": version,
                "purl": f"pkg:pypi/{name}@{version}",
                "hashes": [],
            }
            if named[3]:
                one["properties"] = [{"name": "zhili:marker", "value": named[3].strip()}]
            found.append(one)
        for digest in _HASH.findall(line):
            if not found:
                raise ValueError("a digest before any package")
            found[-1]["hashes"].append({"alg": "SHA-256", "content": digest})
    bare = [one["name"] for one in found if not one["hashes"]]
    if bare:
        raise ValueError(f"no digest for {', '.join(bare)}")
    return found


def npm_packages(lock: dict[str, Any]) -> list[dict[str, Any]]:
    """Components of package-lock.json (version 3). Raises ValueError for a package without a digest."""
    found = []
    for place, facts in sorted(lock["packages"].items()):
        if not place:
            continue
        name, version = place.rsplit("node_modules/", 1)[-1], facts["version"]
        alg, _, digest = str(facts.get("integrity", "")).partition("-")
        if alg not in _NPM_ALG:
            raise ValueError(f"no digest for {name}")
        purl = f"pkg:npm/{name.replace('@', '%40')}@{version}"
        found.append(
            {
                "type": "library",
                "bom-ref": f"{purl}#{place}",
                "name": name,
                "version": version,
                "purl": purl,
                "scope": "excluded" if facts.get("dev") else "required",
                "hashes": [{"alg": _NPM_ALG[alg], "content": base64.b64decode(digest).hex()}],
                **({"licenses": [{"license": {"name": facts["license"]}}]} if facts.get("license") else {}),
            }
        )
    return found


def document(root: Path = ROOT) -> dict[str, Any]:
    """The whole document; the same locks give the same bytes."""
    base = python_packages((root / "requirements/base.txt").read_text(encoding="utf-8"))
    names = {one["bom-ref"] for one in base}
    for file in ("dev", "node"):
        for one in python_packages((root / f"requirements/{file}.txt").read_text(encoding="utf-8")):
            if one["bom-ref"] not in names:
                names.add(one["bom-ref"])
                base.append({**one, "scope": "excluded"})
    parts = base + npm_packages(json.loads((root / "package-lock.json").read_text(encoding="utf-8")))
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([one["bom-ref"] for one in parts]))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "zhili", "bom-ref": "zhili"}},
        "components": parts,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "sbom.cdx.json")
    options = parser.parse_args()
    found = document()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    shipped = [one for one in found["components"] if one.get("scope") != "excluded"]
    print(f"{len(found['components'])} packages ({len(shipped)} shipped) in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
