"""Prism, which plays a vendor by its interface description and refuses what the description does not allow."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Prism:
    """A running Prism. `said` is its log."""

    url: str
    said: list[str] = field(default_factory=list)


@contextlib.contextmanager
def serve_prism(node_tools: Any, document: Path, *, errors: bool = True) -> Iterator[Prism]:
    """Prism over an OpenAPI document, on a free port of 127.0.0.1. `errors`: an example that breaks its own schema is a 500."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(node_tools.prism), "mock", "-h", "127.0.0.1", "-p", str(port), str(document), *(["--errors"] if errors else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        running = Prism(f"http://127.0.0.1:{port}")
        ready = threading.Event()

        def listen() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                running.said.append(line)
                if "Prism is listening" in line:
                    ready.set()

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            assert ready.wait(90), "".join(running.said[-20:])
            yield running
        finally:
            process.terminate()
            process.wait(20)
            listener.join(20)
