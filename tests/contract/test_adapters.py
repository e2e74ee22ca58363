"""The contract suite over every adapter found. A new adapter is covered by adding its folder below tests/fixtures.

With LEADSWITCH_TEST_WRITE_EXPECTED=1 what the adapters read is written down instead: read it before you keep it.
"""

from __future__ import annotations

import os
from pathlib import Path

from connector.contract import AdapterContract
from connector.registry import adapters

FIXTURES = Path(__file__).parent.parent / "fixtures"

for name, found in adapters().items():
    title = f"Test{name.title().replace('_', '')}"
    write = "LEADSWITCH_TEST_WRITE_EXPECTED" in os.environ
    globals()[title] = type(title, (AdapterContract,), {"adapter": found, "fixtures": FIXTURES / name, "write_expected": write})
