"""How a service stops: beside a session that ends by itself, and when something in it never comes back."""

import asyncio
import contextlib
import re
import sqlite3
import subprocess
import sys
import threading

import pytest
from service_calls import FOREVER

from photonlink.qsc.config import ServiceConfig
from photonlink.qsc.launching import READY
from photonlink.qsc.opening import Wish
from photonlink.qsc.service import Service


class Folding:
    """Holds up a service between the moment when a session's counts are folded and the one when its lock is free."""

    def __init__(self, service):
        self._fold = service.ledger.fold
        self.done, self.go_on = asyncio.Event(), threading.Event()
        self._loop = asyncio.get_running_loop()
        service.ledger.fold = self._held

    def _held(self):
        problem = self._fold()
        self._loop.call_soon_threadsafe(self.done.set)
        assert self.go_on.wait(FOREVER)
        return problem


async def just_ended(config, program):
    """A service, the grant of a session that has ended by itself and is folded, and what holds up the rest."""

    async def body():
        return program.to_bytes()

    service = Service(config)
    grant = await service.reserve(body, Wish())
    folding = Folding(service)
    service._controller.release(grant["session"])  # as the controller itself does with an idle session
    await folding.done.wait()
    return service, grant, folding


def test_a_release_meets_a_session_that_has_just_ended(tmp_path, program):
    async def release():
        service, grant, folding = await just_ended(ServiceConfig(ledger=tmp_path / "l"), program)
        released = asyncio.create_task(service.release(grant["session"], grant["lease"]))
        await asyncio.sleep(0)  # it has begun, and holds on to the session
        folding.go_on.set()
        try:
            return (await released).end
        finally:
            await service.stop()

    assert asyncio.run(release()) == "released"


def test_a_stop_meets_a_session_that_has_just_ended(tmp_path, program):
    async def stop():
        service, _, folding = await just_ended(ServiceConfig(ledger=tmp_path / "l"), program)
        stopped = asyncio.create_task(service.stop())
        await asyncio.sleep(0)
        folding.go_on.set()
        await stopped

    asyncio.run(stop())
    with contextlib.closing(sqlite3.connect(tmp_path / "l")) as ledger:
        assert ledger.execute("SELECT end FROM sessions").fetchall() == [("released",)]


HUNG = """
import ctypes, sys, threading
from photonlink.qsc import server, usage
from photonlink.cli import main

server.LONGEST_END_SECONDS = 1.0

def never_back(_):
    {hang}

usage.UsageLedger.close = never_back
sys.exit(main(["qsc", "serve", "--port", "0", "--drain", "0.1", "--ledger", sys.argv[1]]))
"""


@pytest.mark.parametrize(
    "hang",
    [
        "threading.Event().wait()",
        "ctypes.PyDLL(None).sleep(3600)",  # with the interpreter lock, as libraries behind a driver do
    ],
    ids=["waits", "keeps the interpreter lock"],
)
def test_a_stop_ends_though_something_never_comes_back(tmp_path, hang):
    command = [sys.executable, "-c", HUNG.format(hang=hang), str(tmp_path / "l")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert re.fullmatch(READY, process.stdout.readline())
        process.terminate()
        _, said = process.communicate(timeout=FOREVER)
    assert process.returncode == 1
    assert "Timeout" in said
    assert "in never_back" in said
