"""A process that submits one request and prints what came of it; told so, it kills or stops itself at an exact point.

`python -m tests.jobs.submitter '{"config": …, "seed": 1, "run": "r", "signal": "KILL", "before": "Send"}'`
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from typing import Any

from tuneline import jobs
from tuneline.jobs import Request, Settings, effects


def request(config: str, *, seed: int = 0, run: str = "", **changes: Any) -> Request:
    """A job of the trainer that reads its configuration from `config`; a pipe keeps it running for nothing."""
    container = {
        "imageUri": "tuneline-trainer",
        "command": ["python", "-m", "tuneline.trainer"],
        "args": ["--config", config],
    }
    pool = {"machineSpec": {"machineType": "e2-standard-4"}, "replicaCount": "1", "containerSpec": container}
    return Request(
        project="tuneline-local",
        location="us-central1",
        display_name="race",
        body={"jobSpec": {"workerPoolSpecs": [pool]}},
        staging="gs://tuneline-local",
        identity={"seed": seed},
        run=run,
        **changes,
    )


class Interrupting:
    """Performs effects, and sends this process a signal before or after the one that is named."""

    def __init__(self, perform: Any, options: dict[str, Any]) -> None:
        self.perform, self.options, self.count = perform, options, 0

    def __call__(self, world: effects.World, effect: effects.Effect) -> effects.Answer:
        if isinstance(effect, effects.Now | effects.Sleep):
            return self.perform(world, effect)
        self.count += 1
        names = (type(effect).__name__, self.count)
        if self.options.get("before") in names:
            self._signal()
        answer = self.perform(world, effect)
        if self.options.get("after") in names:
            self._signal()
        return answer

    def _signal(self) -> None:
        number = signal.Signals[f"SIG{self.options['signal']}"]
        self.options = {}
        # Sent to this very thread, it takes effect before the next line; sent to the process, perhaps a moment later.
        signal.pthread_kill(threading.get_ident(), number)


def main() -> None:
    """Submits, and prints the submission as JSON."""
    options = json.loads(sys.argv[1])
    interrupting = Interrupting(effects.World.perform, options)
    setattr(effects.World, "perform", lambda world, effect: interrupting(world, effect))  # noqa: B010
    settings = Settings(deadline_s=options["deadline_s"], window_s=options["window_s"], poll_s=0.1)
    wanted = request(options["config"], seed=options["seed"], run=options.get("run", ""))
    submission = jobs.submit(jobs.engine("custom_training"), wanted, settings=settings)
    print(json.dumps({**submission.to_dict(), "effects": interrupting.count}))


if __name__ == "__main__":
    main()
