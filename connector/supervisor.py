"""`leadswitch up`: every process of an installation under one roof, restarted when it dies, ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO

from connector.embedded import EmbeddedValkey
from connector.errors import LeadswitchError
from connector.pids import end_leftover, write_pid
from connector.settings import Settings

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0  # alive for so long: the next death counts as a first one
OFTEN = 5  # deaths within STEADY_S that are worth shouting about
GRACE_S = 25.0  # for finishing work in hand after SIGTERM
WATCH_S = 0.5


@dataclass(frozen=True)
class Child:
    """One process to keep alive. A leashed one is handed `--leash FD` and ends itself when the supervisor is gone."""

    name: str
    command: tuple[str, ...]
    leashed: bool = True


CONNECTOR = (sys.executable, "-m", "connector")
CHILDREN = tuple(Child(name, (*CONNECTOR, name)) for name in ("web", "worker", "clock"))
PREPARE = (*CONNECTOR, "migrate", "--quiet")


@dataclass
class _Life:
    """What is known of a child that was started."""

    process: asyncio.subprocess.Process | None = None
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=OFTEN))
    started: float = 0.0


def follow(leash: int) -> None:
    """Called in a child: end this process when the supervisor is gone, however it went. `leash` is a pipe's reading end."""

    def wait() -> None:
        while os.read(leash, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="leash", daemon=True).start()


def lock_home(home: Path) -> IO[str]:
    """Hold `home` for this process alone. Raises `LeadswitchError` when another supervisor has it."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = (home / "leadswitch.pid").open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise LeadswitchError(f"Leadswitch already runs in {home} (process {holder}): stop it, or set LEADSWITCH_HOME.") from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


class Supervisor:
    """Keeps the embedded Valkey and the children alive until told to stop."""

    def __init__(
        self,
        settings: Settings,
        children: Sequence[Child] = CHILDREN,
        prepare: Sequence[str] | None = PREPARE,
        out: IO[str] | None = None,
    ) -> None:
        self.settings = settings
        self.children = tuple(children)
        self.prepare = prepare
        self.valkey = None if settings.redis_url else EmbeddedValkey(settings.home)
        self._out = out or sys.stderr
        self._lives = {child.name: _Life() for child in self.children}
        self._stopping = asyncio.Event()
        self._failure: str | None = None
        self._colour = self._out.isatty()

    def run(self) -> int:
        """Run until SIGTERM or Ctrl-C. Returns the exit code: 0 after an orderly stop, 2 when a child refuses its configuration."""
        lock = lock_home(self.settings.home)
        try:
            return asyncio.run(self._run())
        finally:
            lock.truncate(0)
            lock.close()

    def say(self, text: str, who: str = "up") -> None:
        """One line, under the name of the process it is about."""
        print(f"{self._tag(who)} {text}", file=self._out, flush=True)

    def _tag(self, who: str) -> str:
        width = max(6, *(len(child.name) for child in self.children))
        if not self._colour:
            return f"{who:<{width}} |"
        shades = (36, 33, 35, 32, 34)
        names = [child.name for child in self.children]
        shade = shades[names.index(who) % len(shades)] if who in names else 1
        return f"\033[{shade}m{who:<{width}} |\033[0m"

    async def _run(self) -> int:
        began = time.monotonic()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        self._end_leftovers()
        leash, hold = os.pipe()
        tasks: list[asyncio.Task[None]] = []
        try:
            prepared, _ = await asyncio.gather(self._prepare(), self._start_valkey())
            if prepared:
                tasks = [asyncio.create_task(self._keep(child, leash)) for child in self.children]
                tasks.append(asyncio.create_task(self._announce(began)))
                if self.valkey:
                    tasks.append(asyncio.create_task(self._keep_valkey(self.valkey)))
                await self._stopping.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._end_children()
            os.close(hold)
            os.close(leash)
            if self.valkey:
                await asyncio.to_thread(self.valkey.stop)
        if self._failure:
            self.say(self._failure)
            return 2
        self.say("stopped")
        return 0

    def _on_signal(self, number: signal.Signals) -> None:
        if self._stopping.is_set():
            self.say("asked again: killing")
            for life in self._lives.values():
                self._send(life.process, signal.SIGKILL)
            return
        self.say(f"{signal.Signals(number).name}: finishing what is in hand (at most {GRACE_S:.0f} s; again to kill)")
        self._stopping.set()

    def _end_leftovers(self) -> None:
        for child in self.children:
            pid = end_leftover(self._note(child))
            if pid is not None:
                self.say(f"ended process {pid}, left over from an earlier run", child.name)

    def _note(self, child: Child) -> Path:
        return self.settings.home / "run" / f"{child.name}.pid"

    async def _start_valkey(self) -> None:
        if self.valkey:
            self.say(f"{await asyncio.to_thread(self.valkey.start)} at {self.valkey.url}", "valkey")

    async def _prepare(self) -> bool:
        """Run what must be done once before any child starts; its memory is given back when it ends."""
        if self.prepare is None:
            return True
        code = await self._pipe("up", await self._start(self.prepare, ()))
        if code != 0:
            self._failure = f"The database could not be brought up to date (exit code {code}); see the line above."
        return code == 0

    async def _start(self, command: Sequence[str], passed: Sequence[int]) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=1 << 20,
            pass_fds=tuple(passed),
            start_new_session=True,  # Ctrl-C goes to the supervisor alone, which ends its children in order
        )

    async def _pipe(self, name: str, process: asyncio.subprocess.Process) -> int:
        """Print what the process prints, under its name, until it ends; returns the exit code."""
        if process.stdout is None:
            raise RuntimeError("the child was started without a pipe")
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # a line over the limit: what was read is dropped, the process goes on
                self.say("(a line over 1 MB was left out)", name)
                continue
            if not line:
                break
            self.say(line.decode(errors="replace").rstrip(), name)
        return await process.wait()

    async def _keep(self, child: Child, leash: int) -> None:
        """Start the child, and again each time it dies, after a pause that doubles while it keeps dying."""
        life = self._lives[child.name]
        pause = FIRST_PAUSE_S
        while not self._stopping.is_set():
            life.started = time.monotonic()
            held = ("--leash", str(leash)) if child.leashed else ()
            life.process = await self._start((*child.command, *held), (leash,) if child.leashed else ())
            write_pid(self._note(child), life.process.pid)
            code = await self._pipe(child.name, life.process)
            now = time.monotonic()
            if code == 2 and not life.deaths and now - life.started < STEADY_S:
                self._failure = f"{child.name} refuses its configuration; see the line above."
                self._stopping.set()
                return
            if now - life.started > STEADY_S:
                pause = FIRST_PAUSE_S
            life.deaths.append(now)
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            self.say(f"died ({how}); starting again in {pause:.1f} s", child.name)
            if len(life.deaths) == OFTEN and now - life.deaths[0] < STEADY_S:
                self.say(f"WARNING: died {OFTEN} times within {STEADY_S:.0f} s; what it printed before tells why", child.name)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _keep_valkey(self, valkey: EmbeddedValkey) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            if valkey.alive():
                continue
            self.say("died; starting again", "valkey")
            try:
                await asyncio.to_thread(valkey.stop)
                await asyncio.to_thread(valkey.start)
            except LeadswitchError as error:
                self.say(str(error), "valkey")
                await asyncio.sleep(FIRST_PAUSE_S * 10)

    async def _announce(self, began: float) -> None:
        """Say once that the service answers."""
        while not await asyncio.to_thread(self._ready):
            await asyncio.sleep(0.1)
        self.say(f"ready after {time.monotonic() - began:.1f} s: {self.settings.public_url} (listening on {self.settings.bind})")

    def _ready(self) -> bool:
        connection = HTTPConnection(self.settings.bind_host, self.settings.bind_port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    @staticmethod
    def _send(process: asyncio.subprocess.Process | None, number: signal.Signals) -> None:
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    async def _end_children(self) -> None:
        """SIGTERM to all, SIGKILL to those that are still there after the grace. What they print meanwhile is shown."""
        running = [(name, life.process) for name, life in self._lives.items() if life.process and life.process.returncode is None]
        for _, process in running:
            self._send(process, signal.SIGTERM)
        waits = [asyncio.create_task(self._pipe(name, process)) for name, process in running]
        if waits:
            _, late = await asyncio.wait(waits, timeout=GRACE_S)
            if late:
                self.say(f"{len(late)} did not end within {GRACE_S:.0f} s: killed")
                for _, process in running:
                    self._send(process, signal.SIGKILL)
                await asyncio.gather(*waits)
        for child in self.children:
            self._note(child).unlink(missing_ok=True)


def up(settings: Settings) -> int:
    """Run the whole installation in the foreground. Raises `LeadswitchError` when somebody has the address or the home."""
    host, port = settings.bind_host, settings.bind_port
    if _taken(host, port):
        raise LeadswitchError(f"Something else listens on {host}:{port} already: stop it, or set LEADSWITCH_BIND.")
    return Supervisor(settings).run()


def _taken(host: str, port: int) -> bool:
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host.strip("[]") if host not in ("0.0.0.0", "") else "127.0.0.1", port)) == 0  # noqa: S104  # not bound
