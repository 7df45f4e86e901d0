"""Waiting for supervised processes on the event loop, without a thread and without polling."""

from __future__ import annotations

import asyncio

from tuneline.local.processes import Exit, Supervised


async def ended(process: Supervised) -> Exit:
    """How the process ended, once it has."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    descriptor = process.fileno()
    loop.add_reader(descriptor, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(descriptor)
    found = process.poll()
    if found is None:
        raise RuntimeError(f"the process in {process.folder} said that it ended, and did not")
    return found
