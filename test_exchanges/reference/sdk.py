"""Runs a venue's own SDK, in its own environment, against a simulated venue in real time.

The script `<venue>_client.py` gets endpoints and keys as JSON on standard input and answers with a
report as JSON on standard output.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from asyncio.subprocess import PIPE
from functools import cache
from pathlib import Path
from typing import Any

from mpdex.sim.run import Running, serve

FOLDER = Path(__file__).resolve().parent
PATIENCE = 60.0  # seconds for one part, start of the interpreter included


@cache
def interpreter(venue: str) -> str:
    """Python of the SDK's environment; made on first use, which needs the package index."""
    tool = FOLDER.parents[1] / "tools" / "reference_env.py"
    made = subprocess.run([sys.executable, str(tool), venue], capture_output=True, text=True)
    assert made.returncode == 0, f"the SDK could not be installed:\n{made.stderr}"
    return made.stdout.strip()


async def play(
    venue: str, part: str, *, name: str = "", environment: str = "", keys: str = "credentials"
) -> tuple[dict[str, Any], Running]:
    """The report of one part of the script, and the venue it traded on, stopped.

    Args:
        name: of script and environment, where it is not the venue's.
        environment: whose SDK, where that is another one's.
        keys: method of the simulated venue that gives them.
    """
    name = name or venue
    script, python = FOLDER / f"{name}_client.py", interpreter(environment or name)
    async with await serve([venue]) as running:
        credentials = getattr(running.venues[venue], keys)()
        given = {"endpoints": running.endpoints[venue], "credentials": credentials}
        variables = {**os.environ, "TZ": "UTC"}
        process = await asyncio.create_subprocess_exec(
            python, str(script), part, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=variables
        )
        try:
            async with asyncio.timeout(PATIENCE):
                said, complained = await process.communicate(json.dumps(given).encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, complained.decode()[-4000:]
    report: dict[str, Any] = json.loads(said)
    return report, running
