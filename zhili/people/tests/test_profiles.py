"""K-02: the people suite's parts that touch sealed values, run again as they are under 国密."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SUITE = (
    "zhili/people/tests/test_consents.py", "zhili/people/tests/test_household_actions.py",
    "zhili/people/tests/test_importing.py",
)  # fmt: skip


@pytest.mark.processes
def test_the_same_suite_passes_under_gm(tmp_path):
    """K-02: SM4-GCM fields and HMAC-SM3 index through import, edit, consent, unmasking, export."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *SUITE],
        cwd=ROOT, capture_output=True, text=True, timeout=500,
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")},
            "ZHILI_CIPHER": "gm", "ZHILI_PEOPLE_KEYS": str(tmp_path / "keys" / "people.json"),
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    dots = sum(line.count(".") for line in re.findall(r"^[.]+ +\[ *[0-9]+%\]", done.stdout, re.M))
    assert dots > 100
    assert '"profile": "gm"' in (tmp_path / "keys" / "people.json").read_text()
