"""Start one stand-in: `python -m connector.sandbox hubspot --port 8101 --token t --target http://127.0.0.1:8080/webhooks/hubspot-main`."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import os
import signal
import threading

import uvicorn

STAND_INS = {
    "hubspot": "connector.sandbox.hubspot.service",
    "sendgrid": "connector.sandbox.sendgrid",
    "slack": "connector.sandbox.slack.service",
    "llm": "connector.sandbox.llm",
}


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, build the stand-in, serve it on the loopback interface until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m connector.sandbox", description=__doc__)
    parsers = parser.add_subparsers(dest="name", required=True)
    for name, module_name in STAND_INS.items():
        options = importlib.import_module(module_name).Options
        sub = parsers.add_parser(name, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        sub.add_argument("--port", type=int, required=True)
        sub.add_argument("--leash", type=int, help="file descriptor of a pipe: end when its other end is gone")
        for field in dataclasses.fields(options):
            default = None if field.default is dataclasses.MISSING else field.default
            kind = type(default) if default is not None else str
            sub.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=default, required=default is None, help=" ")
    chosen = vars(parser.parse_args(arguments))
    name, port, leash = chosen.pop("name"), chosen.pop("port"), chosen.pop("leash")
    if leash is not None:
        threading.Thread(target=_follow, args=(leash,), daemon=True).start()
    module = importlib.import_module(STAND_INS[name])
    app = module.build(module.Options(**chosen))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=2)


def _follow(leash: int) -> None:
    """End this process when whoever started it is gone, however it went."""
    while os.read(leash, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
