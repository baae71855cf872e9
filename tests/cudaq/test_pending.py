"""The thread behind asynchronous launches."""

import threading

from photonlink.cudaq import pending

FOREVER = 240.0


class WatchedLock:
    """A lock that says when a second thread comes for it."""

    def __init__(self, arrived):
        self._lock, self._arrived, self._comers = threading.Lock(), arrived, 0

    def __enter__(self):
        self._comers += 1
        if self._comers == 2:
            self._arrived.set()
        self._lock.acquire()

    def __exit__(self, *_):
        self._lock.release()


def test_two_threads_that_launch_first_share_one_thread(monkeypatch):
    """The second one comes while the first is still making the pool: it waits for that, and makes none of its own."""
    launcher, arrived, made = pending.Launcher(), threading.Event(), []
    real = pending.ThreadPoolExecutor
    launcher._lock = WatchedLock(arrived)
    second = threading.Thread(target=launcher._submit, args=(lambda: None,))

    def slow(*arguments, **options):
        made.append(real(*arguments, **options))
        if len(made) == 1:
            second.start()
            assert arrived.wait(FOREVER)
        else:
            arrived.set()
        return made[-1]

    monkeypatch.setattr(pending, "ThreadPoolExecutor", slow)
    try:
        assert launcher._submit(threading.get_ident).get() != threading.get_ident()
    finally:
        second.join(FOREVER)
        for pool in made:
            pool.shutdown()
    assert len(made) == 1
    launcher.stop()
