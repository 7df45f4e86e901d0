"""`python -m tuneline.local --data DIR --port P`: serve in the foreground until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from tuneline.errors import TunelineError


def main() -> int:
    """Serve; the exit code is 1 where the folder or the port is taken."""
    parser = argparse.ArgumentParser(prog="python -m tuneline.local", description="Serve the local Vertex AI.")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds everything the service knows")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0: the last one, or a free one")
    parser.add_argument("--idle-stop", type=float, default=0.0, metavar="SECONDS", help="stop when idle for so long")
    parser.add_argument("--verbose", action="store_true", help="log every connection's fate")
    options = parser.parse_args()
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    for name in ("asyncio", "hpack", "h2", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        asyncio.run(_serve(options))
    except TunelineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"cannot listen on port {options.port}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


async def _serve(options: argparse.Namespace) -> None:
    from tuneline.local.service import LocalService
    from tuneline.local.stand_in import check_stand_in

    check_stand_in()
    service = LocalService(options.data, port=options.port, idle_stop_s=options.idle_stop)
    await service.start()
    print(f"ready at {service.url}, data in {service.data}", file=sys.stderr, flush=True)
    await service.run()


if __name__ == "__main__":
    sys.exit(main())
