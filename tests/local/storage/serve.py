"""Serves the object store alone, as the wire mounts it: `python serve.py FOLDER PORT`."""

import sys
from pathlib import Path

import uvicorn

from tuneline.local import storage

if __name__ == "__main__":
    uvicorn.run(storage.app(Path(sys.argv[1])), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
