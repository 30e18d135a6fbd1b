"""The log's copy on another machine: it follows, it is never rewritten, and its loss is red on 安全自查 (O-02)."""

from __future__ import annotations

from pathlib import Path

import pytest

from zhili.config import logcopy, selfcheck, worker
from zhili.config.logcopy import LogCopyError, copy_logs


@pytest.fixture
def machine(tmp_path, settings):
    """This machine's log and instance folder, and a folder of the other one."""
    settings.VAR, settings.LOG_DIR = tmp_path / "var", tmp_path / "logs"
    settings.LOG_COPY = str(tmp_path / "other")
    for path in (settings.VAR, settings.LOG_DIR, tmp_path / "other"):
        path.mkdir()
    (settings.LOG_DIR / "zhili-2026-11-27.jsonl").write_text("a\n" * 4000)
    (settings.LOG_DIR / "zhili-2026-11-28.jsonl").write_text("b\n" * 10)
    return settings


def go(machine) -> int:
    return copy_logs(machine.LOG_DIR, Path(machine.LOG_COPY), machine.VAR)


def copied(machine, name: str) -> Path:
    return Path(machine.LOG_COPY) / logcopy.host() / name


def test_it_follows_the_log(machine):
    """O-02: everything once, then only what is new, byte for byte; the self-check is green."""
    assert not selfcheck.log_copied().ok
    assert go(machine) == 8020
    assert go(machine) == 0 and selfcheck.log_copied().ok
    with (machine.LOG_DIR / "zhili-2026-11-28.jsonl").open("a") as log:
        log.write("c\n")
    assert go(machine) == 2
    for path in machine.LOG_DIR.iterdir():
        assert copied(machine, path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("attack", ["gone", "cut", "changed", "source cut", "source changed", "unmounted"])
def test_a_loss_is_said_and_stays_red(machine, attack):
    """O-02: the copy removed, cut or changed; the log on this machine cut or changed; the share away: each is red, and
    stays so until it is mended."""
    go(machine)
    name = "zhili-2026-11-27.jsonl"
    copy, source = copied(machine, name), machine.LOG_DIR / name
    whole = source.read_bytes()
    {
        "gone": lambda: copy.unlink(),
        "cut": lambda: copy.write_bytes(whole[:-2]),
        "changed": lambda: copy.write_bytes(whole[:-2] + b"x\n"),
        "source cut": lambda: source.write_bytes(whole[:-2]),
        "source changed": lambda: source.write_bytes(whole[:-2] + b"x\n"),
        "unmounted": lambda: Path(machine.LOG_COPY).rename(Path(machine.LOG_COPY).with_name("elsewhere")),
    }[attack]()
    for _ in range(2):
        with pytest.raises(LogCopyError):
            go(machine)
        found = selfcheck.log_copied()
        assert not found.ok and ("丢了" in found.evidence)
    if attack == "unmounted":
        Path(machine.LOG_COPY).with_name("elsewhere").rename(machine.LOG_COPY)
    else:
        source.write_bytes(whole)
        copy.write_bytes(whole)
    go(machine)
    assert selfcheck.log_copied().ok


def test_a_mount_point_without_its_share_is_not_filled(machine):
    """O-02: the folder itself is never made: lines would pile up on this very machine."""
    Path(machine.LOG_COPY).rmdir()
    with pytest.raises(LogCopyError, match="不在"):
        go(machine)
    assert not Path(machine.LOG_COPY).exists()


def test_the_worker_goes_on_and_writes_it_down(machine, caplog):
    """O-02: nothing of the village stops; the loss stands in this machine's log."""
    Path(machine.LOG_COPY).rmdir()
    worker.copy_log()
    assert "copy on the other machine is lost" in caplog.text


def test_without_a_target_the_self_check_says_so(machine):
    """O-02: an instance without a copy is not passed."""
    machine.LOG_COPY = ""
    worker.copy_log()
    assert not selfcheck.log_copied().ok and "ZHILI_LOG_COPY" in selfcheck.log_copied().evidence


def test_days_removed_here_stay_there(machine):
    """O-02, P-19: what was kept long enough on this machine goes; the copy keeps its own time."""
    go(machine)
    (machine.LOG_DIR / "zhili-2026-11-27.jsonl").unlink()
    assert go(machine) == 0 and copied(machine, "zhili-2026-11-27.jsonl").exists()
    assert selfcheck.log_copied().ok
