"""`python -m tuneline.trainer --config URI --output URI`: see docs/trainer.md."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import types

from tuneline.errors import TunelineError

RESUME_ME = 75


def main() -> int:
    """Run, and turn how it ended into an exit code: 0 done, 75 stopped and resumable, 2 and 3 bad input, 1 other."""
    parser = argparse.ArgumentParser(prog="python -m tuneline.trainer", description="Fine-tune a base model with LoRA.")
    parser.add_argument("--config", required=True, metavar="URI", help="config.json, at gs:// or a path")
    parser.add_argument("--output", required=True, metavar="URI", help="folder for everything the run writes")
    arguments = parser.parse_args()
    told = False

    def tell(number: int, frame: types.FrameType | None) -> None:
        nonlocal told
        told = True

    signal.signal(signal.SIGTERM, tell)
    from tuneline.trainer.run import run
    from tuneline.trainer.stop import Stopped

    try:
        run(arguments.config, arguments.output, environment=os.environ, told_to_stop=lambda: told)
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        return RESUME_ME
    except TunelineError as error:
        print(_sentence(error), file=sys.stderr)
        return error.exit_code if error.exit_code in (2, 3) else 1
    except OSError as error:
        # A full disk or a folder that went away: what is complete stays, and the run can be resumed.
        print(f"cannot go on: {error.strerror or error} ({error.filename or arguments.output})", file=sys.stderr)
        return 1
    return 0


def _sentence(error: TunelineError) -> str:
    """All of an error on one line, since the last line is what others show."""
    return " ".join(line.strip() for line in str(error).splitlines())


if __name__ == "__main__":
    sys.exit(main())
