"""Serve the product on another day: python -m tests.serve_at 2026-10-09T09:00 PORT. Only for journeys through a month.

The whole process lives on that day (time-machine); everything else is the real thing: real settings, real
database, real middleware, several threads.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import time_machine


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged."""


def main() -> None:
    moment, port = datetime.fromisoformat(sys.argv[1]).astimezone(), int(sys.argv[2])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhili.config.settings")
    from zhili.config.setup import ready

    ready(migrate=False)
    with time_machine.travel(moment, tick=True):
        from zhili.config.wsgi import application

        make_server("127.0.0.1", port, application, Server, Quiet).serve_forever()


if __name__ == "__main__":
    main()
