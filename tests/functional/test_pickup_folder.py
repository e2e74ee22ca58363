"""A file left in the folder of `[pickup]`, with the whole service running: clock, queue and worker."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.functional.test_up import Installation


def test_a_file_that_is_left_is_imported_and_put_away(
    tmp_path: Path, free_port: Callable[[], int], eventually: Callable[..., Any]
) -> None:
    service = Installation(tmp_path / "home", free_port())
    folder, mapping = tmp_path / "left", tmp_path / "map.toml"
    folder.mkdir()
    mapping.write_text('connection = "fair"\nexternal_id = "Id"\n[fields]\nemail = "Mail"\n')
    with service.config.open("a") as config:
        config.write(f'\n[pickup]\nfolder = "{folder}"\nmap = "{mapping}"\nevery_s = 1\n')
    file = folder / "monday.csv"
    file.write_text("Id,Mail\n1,ada@corp.example\n,nobody@corp.example\n")
    written = time.time() - 60
    os.utime(file, (written, written))
    service.run()
    try:
        eventually((folder / "done" / "monday.csv").exists, timeout=90, what="the file is put away")
        assert "Id is empty" in (folder / "failed" / "monday.errors.csv").read_text()
        assert not file.exists()
    finally:
        service.stop()
