"""Worker processes that can be killed at a named point or at the n-th statement, and new ones in their place.

A nursery process with Django loaded and no connection forks each worker, so a new one is there in 10 ms. A worker
does one deed at a time: the deed's moment and seed make its clock and its random bytes (common.clock.replay), so
the same deed done again, in this worker or the next, writes the same bytes.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import struct
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

KILL, DROP, REFUSE = "kill", "drop", "disk"
Deed = dict[str, Any]
"""{"do": name, "args": {...}, "at": iso moment, "seed": int, "fault": [kind, point, nth] or None, "trace": bool}"""


class Died(Exception):
    """The worker is gone: its answer will never come."""


def send(to: socket.socket, thing: Any) -> None:
    data = pickle.dumps(thing)
    to.sendall(struct.pack("!I", len(data)) + data)


def receive(source: socket.socket) -> Any:
    def exactly(n: int) -> bytes:
        parts = b""
        while len(parts) < n:
            try:
                part = source.recv(n - len(parts))
            except ConnectionResetError:
                part = b""
            if not part:
                raise Died
            parts += part
        return parts

    return pickle.loads(exactly(struct.unpack("!I", exactly(4))[0]))


class Worker:
    """One process. `ask` hands it a deed; `answer` waits for what came of it, or raises Died."""

    def __init__(self, line: socket.socket, pid: int) -> None:
        self.line, self.pid = line, pid

    def ask(self, deed: Deed) -> None:
        send(self.line, deed)

    def answer(self) -> dict[str, Any]:
        try:
            return receive(self.line)
        except Died:
            self.line.close()
            raise

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.line.close()


class House:
    """The nursery and its workers. Made before this process opens a database connection."""

    def __init__(self, database: str, perform: str) -> None:
        self.folder = tempfile.mkdtemp(prefix="zhili-sim-")
        self.address = str(Path(self.folder) / "door")
        self.door = socket.socket(socket.AF_UNIX)
        self.door.bind(self.address)
        self.door.listen(16)
        self.door.settimeout(60)
        here, there = socket.socketpair()
        self.nursery = os.fork()
        if self.nursery == 0:
            here.close()
            self.door.close()
            try:
                nursery(there, self.address, database, perform)
            finally:
                os._exit(0)
        there.close()
        self.bell = here
        self.workers: list[Worker] = []
        self.born = 0

    def worker(self, n: int = 0) -> Worker:
        """The n-th worker, made where it is missing."""
        while len(self.workers) <= n:
            self.bell.sendall(b".")
            line, _ = self.door.accept()
            self.workers.append(Worker(line, receive(line)))
            self.born += 1
        return self.workers[n]

    def lost(self, worker: Worker) -> None:
        self.workers.remove(worker)

    def do(self, deed: Deed, n: int = 0) -> dict[str, Any]:
        """Hand a deed to worker n and wait. Raises Died (the worker is taken off the list)."""
        worker = self.worker(n)
        worker.ask(deed)
        try:
            return worker.answer()
        except Died:
            self.lost(worker)
            raise

    def together(self, deeds: list[Deed]) -> list[dict[str, Any]]:
        """Each deed in a worker of its own, all at once."""
        workers = [self.worker(n) for n in range(len(deeds))]
        for worker, deed in zip(workers, deeds, strict=True):
            worker.ask(deed)
        return [worker.answer() for worker in workers]

    def send_home(self) -> None:
        """Restart: every worker is killed, idle or not."""
        for worker in self.workers:
            worker.kill()
        self.workers.clear()

    def close(self) -> None:
        self.send_home()
        self.bell.close()
        os.waitpid(self.nursery, 0)
        self.door.close()
        Path(self.address).unlink(missing_ok=True)
        Path(self.folder).rmdir()


def nursery(bell: socket.socket, address: str, database: str, perform: str) -> None:
    """Forks a worker at every ring; ends, with all of them, when the driver is gone."""
    import importlib

    from django.conf import settings
    from django.db import connection

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.setpgid(0, 0)
    connection.settings_dict["NAME"] = database
    settings.PHOTO_ROOT = settings.VAR / f"photos-{database}"
    deeds = importlib.import_module(perform).DEEDS
    while bell.recv(1):
        if os.fork() == 0:
            bell.close()
            line = socket.socket(socket.AF_UNIX)
            line.connect(address)
            send(line, os.getpid())
            try:
                live(line, deeds)
            except Died:
                pass
            finally:
                os._exit(0)


def live(line: socket.socket, deeds: dict[str, Callable[..., Any]]) -> None:
    """A worker's life: one deed after another until nobody asks any more."""
    from django.db import connection

    while True:
        deed = receive(line)
        points: list[str] = []
        with armed(deed.get("fault"), points):
            answer = rehearse(deed, deeds) if deed.get("rehearse") else carry_out(deed, deeds)
        if deed.get("trace"):
            answer["points"] = points
        if connection.connection is not None and ("broken" in answer or connection.connection.closed):
            connection.close()
        send(line, answer)


def rehearse(deed: Deed, deeds: dict[str, Callable[..., Any]]) -> dict[str, Any]:
    """All of a deed but its end: undone by rolling back, so that one can know which points it passes."""
    from django.db import transaction

    with transaction.atomic():
        answer = carry_out(deed, deeds)
        transaction.set_rollback(True)
    return answer


def carry_out(deed: Deed, deeds: dict[str, Callable[..., Any]]) -> dict[str, Any]:
    """{"ok": value} | {"refused": kind, "text": …} | {"broken": text} (connection gone) | {"bug": traceback}."""
    from django.db import DatabaseError, InterfaceError, OperationalError

    from zhili.common import clock
    from zhili.common.errors import ZhiliError

    try:
        with clock.replay(datetime.fromisoformat(deed["at"]), deed["seed"]):
            return {"ok": deeds[deed["do"]](**deed["args"])}
    except ZhiliError as error:
        return {"refused": type(error).__name__, "text": str(error)}
    except (OperationalError, InterfaceError) as error:
        return {"broken": f"{type(error).__name__}: {error}"}
    except DatabaseError as error:
        # After the server closed the line libpq may only say that there is none.
        from django.db import connection

        gone = connection.connection is None or connection.connection.closed
        return {"broken": str(error)} if gone else {"bug": traceback.format_exc()[-3000:]}
    except Exception:
        return {"bug": traceback.format_exc()[-3000:]}


@contextmanager
def armed(wanted: list[Any] | None, points: list[str]) -> Iterator[None]:
    """While the deed runs every named point and every statement is counted; at the wanted one the fault strikes."""
    from django.db import connection

    from zhili.common import faults

    seen: Counter[str] = Counter()

    def passed(name: str) -> None:
        points.append(name)
        seen[name] += 1
        if wanted and wanted[1] == name and seen[name] == wanted[2]:
            strike(wanted[0])

    def statement(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO")):
            return execute(sql, params, many, context)  # a rehearsal has other ones than the deed
        passed("before statement")
        answer = execute(sql, params, many, context)
        passed("after statement")
        return answer

    faults.arm(passed)
    try:
        with connection.execute_wrapper(statement):
            yield
        passed("before answer")
    finally:
        faults.arm(None)


def strike(kind: str) -> None:
    """The power goes off, or only the line to the database does."""
    from django.db import connection

    if kind == KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == DROP:
        import psycopg

        assert connection.connection is not None
        with suppress(psycopg.Error):
            connection.connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
