"""The local runtimes of one process: started when first needed, watched, restarted after a crash, put to sleep, ended.

Knows no backend, no message and no interface.
"""

from __future__ import annotations

import atexit
import copy
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator

import psutil

from engine import child
from engine.backends.base import Control
from engine.errors import EngineError, LoadFailed, StreamCut, Unreachable
from engine.runtime.client import LlamaServer
from engine.runtime.gate import Gate
from engine.runtime.life import Life
from engine.runtime.load import LoadParams
from engine.settings import Settings
from engine.types import Loading, ModelState

log = logging.getLogger(__name__)

TICK_S = 0.2
STORM_DEATHS, STORM_S = 3, 60.0  # so many deaths while loading within so many seconds: give up for a while
HEALTH_EVERY_S, HEALTH_TIMEOUT_S, HEALTH_FAILURES = 10.0, 5.0, 3
DEATH_IS_NEWS_S = 0.5  # a broken connection is seen this much before the end of the process behind it, at most
DEATH_IS_CAUSE_S = 10.0


class LocalRuntime:
    """One way to load one model, over all the lives of its worker; thread safe.

    `server`, `gate`, `window`, `slots` are of the latest life that was ready; before there was one they raise
    LoadFailed. `ttl` is after how many seconds without a request it is put to sleep; 0 never, None as the settings say.
    """

    def __init__(self, load: LoadParams, settings: Settings, launcher: child.Launcher) -> None:
        self._load = load
        self._settings = settings
        self._launcher = launcher
        self._lock = threading.RLock()
        self._life: Life | None = None
        self._opened: Life | None = None
        self._last_death: tuple[float, EngineError] | None = None
        self._deaths: deque[float] = deque(maxlen=STORM_DEATHS)
        self.ttl: float | None = None
        self._asleep = self._closed = False
        self._used = time.monotonic()
        self._checked = time.monotonic()
        self._unhealthy = 0

    def ready(self, control: Control | None = None) -> Iterator[Loading]:
        """Loading events, one at once and then every 0.2 s, until the worker answers; none where it does already.

        However many callers wait, it is loaded once. Ends early when `control` is stopped. Raises LoadFailed,
        ModelFileCorrupt, BadFile.
        """
        while not (control and control.stopped):
            life = self._wake()
            while not life.settled.is_set() and not (control and control.stopped):
                yield Loading(life.elapsed)
                life.settled.wait(TICK_S)
            if life.ready:
                self._opened, self._used = life, time.monotonic()
                return
            if life.error is not None:
                raise copy.copy(life.error)  # several callers raise it, each with a traceback of its own
            if life.stopped:
                raise life.death()

    @property
    def load(self) -> LoadParams:
        """How it is loaded; once it is, with the number of layers that really lie on a GPU."""
        return self._opened.load if self._opened else self._load

    @property
    def wishes(self) -> LoadParams:
        """How it was asked to be loaded."""
        return self._load

    @property
    def time_out(self) -> float:
        """Seconds without a request after which it is put to sleep; 0 never."""
        return self._settings.idle_unload_s if self.ttl is None else self.ttl

    @property
    def since(self) -> float | None:
        """When its worker was ready, in seconds since 1970; None where none is."""
        life = self._life
        return life.since if life is not None and life.ready else None

    @property
    def idle(self) -> float:
        """Seconds since somebody used it, 0 while somebody does."""
        life = self._life
        if life is not None and life.ready:
            gate = life.gate.snapshot()
            if gate.running or gate.waiting:
                return 0.0
        return time.monotonic() - self._used

    @property
    def server(self) -> LlamaServer:
        """The llama.cpp server behind the gate."""
        return self._open().server

    @property
    def gate(self) -> Gate:
        """The admission in front of it."""
        return self._open().gate

    @property
    def window(self) -> int:
        """Tokens of one slot, as the server tells it."""
        return self._open().window

    @property
    def slots(self) -> int:
        """How many answers it writes at once, as the server tells it."""
        return self._open().slots

    @property
    def pid(self) -> int | None:
        """The worker's process id while it lives."""
        life = self._life
        return life.pid if life is not None and not life.ended.is_set() else None

    def memory(self) -> int | None:
        """Bytes of memory that the worker holds now; None where there is none."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss) if self.pid else None
        except psutil.NoSuchProcess:
            return None

    def log(self) -> tuple[str, ...]:
        """The last lines that llama.cpp logged, oldest first; for the teacher."""
        return tuple(self._life.log) if self._life else ()

    def state(self) -> ModelState:
        """What the model is doing; never loads it."""
        with self._lock:
            life = self._life
            if life is None or life.stopped:
                return ModelState("asleep" if self._asleep else "unloaded")
            if life.ready:
                return ModelState("ready", life.elapsed)
            if life.usable:
                return ModelState("loading", life.elapsed)
            return ModelState("failed", life.elapsed, life.error or life.death())

    def explain(self, error: EngineError) -> EngineError:
        """RuntimeDied for a connection that broke because the worker died; every other error as it is."""
        life = self._life
        if life is None or not isinstance(error, StreamCut | Unreachable):
            return error
        if life.ended.wait(DEATH_IS_NEWS_S) or life.stopped:
            return life.death()
        if self._last_death and time.monotonic() - self._last_death[0] < DEATH_IS_CAUSE_S:
            return self._last_death[1]  # somebody else has had it restarted already
        return error

    def stop(self) -> None:
        """Unload: end the worker, waiting requests with RuntimeDied. The next `ready()` loads it again."""
        self._stop(asleep=False)

    def close(self) -> None:
        """Unload for good."""
        self._closed = True
        self.stop()

    def tend(self) -> None:
        """Put it to sleep when nobody has used it for long, end it when it does not answer; called every second."""
        life = self._life
        if life is None or not life.ready:
            return
        gate, now = life.gate.snapshot(), time.monotonic()
        if gate.running or gate.waiting:
            self._used = now
        idle = self.time_out
        if idle and now - self._used > idle:
            self._stop(asleep=True)
        elif now - self._checked > HEALTH_EVERY_S:
            self._checked = now
            self._check(life)

    def _open(self) -> Life:
        life = self._opened or self._life
        if life is None or not (life is self._opened or life.ready):  # ready a moment before a `ready()` has seen it
            raise LoadFailed(f"{self._load.alias} is not loaded", model=self._load.alias, reason="not loaded")
        return life

    def _wake(self) -> Life:
        """The life that is ready or being loaded; else a new one."""
        with self._lock:
            life = self._life
            if life is None or not life.usable:
                if self._closed:
                    raise LoadFailed("the program is ending", model=self._load.alias, reason="closed")
                self._bury(life)
                self._refuse_storm()
                life = self._life = Life(self._load, self._settings, self._launcher)
                self._asleep, self._unhealthy = False, 0
            return life

    def _bury(self, life: Life | None) -> None:
        if life is None or life.stopped:
            return
        now = time.monotonic()
        if life.died_loading:
            self._deaths.append(now)
        elif life.error is None:
            self._last_death = now, life.death()

    def _refuse_storm(self) -> None:
        if len(self._deaths) < STORM_DEATHS or time.monotonic() - self._deaths[0] > STORM_S:
            return
        code = self._life.exit_code if self._life else None
        reason = f"the worker died {STORM_DEATHS} times while loading, last with exit code {code}"
        raise LoadFailed(f"{self._load.alias}: {reason}", model=self._load.alias, reason=reason, exit_code=code)

    def _stop(self, *, asleep: bool) -> None:
        with self._lock:
            life, self._asleep = self._life, asleep
            if life is not None:
                life.stopped = True  # so that a `ready()` from now on begins another life
        if life is not None:
            life.stop()

    def _check(self, life: Life) -> None:
        server = LlamaServer(life.server.address, timeout=HEALTH_TIMEOUT_S)  # /health asks for no key
        try:
            server.get("/health")
            self._unhealthy = 0
        except EngineError as error:
            self._unhealthy += 1
            log.warning("%s does not answer: %s", self._load.alias, error.code)
        finally:
            server.close()
        if self._unhealthy >= HEALTH_FAILURES:
            life.kill()  # its end is a crash to everybody who waits, and the next question loads it again


class Supervisor:
    """All local runtimes of this process; they end with it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._launcher = child.Launcher()
        self._runtimes: dict[LoadParams, LocalRuntime] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._keeper: threading.Thread | None = None

    def runtime(self, load: LoadParams, ttl: float | None = None) -> LocalRuntime:
        """The runtime of these wishes, the same object for the same wishes; loads nothing yet. `ttl` is set on it."""
        with self._lock:
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name="runtime-keeper", daemon=True)
                self._keeper.start()
                atexit.register(self.close)
            found = self._runtimes.setdefault(load, LocalRuntime(load, self._settings, self._launcher))
            found.ttl = ttl
            return found

    def running(self) -> tuple[LocalRuntime, ...]:
        """The runtimes that have a worker now."""
        return tuple(runtime for runtime in list(self._runtimes.values()) if runtime.pid is not None)

    def close(self) -> None:
        """End every worker; returns when they are gone."""
        self._closed.set()
        atexit.unregister(self.close)
        for runtime in list(self._runtimes.values()):
            runtime.close()
        self._launcher.close()

    def _keep(self) -> None:
        while not self._closed.wait(1):
            for runtime in list(self._runtimes.values()):
                runtime.tend()
