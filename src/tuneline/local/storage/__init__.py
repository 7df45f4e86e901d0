"""Cloud Storage of the local Vertex AI: objects on disk behind Google's own JSON and XML APIs.

app(data)  →  an ASGI application; its state is `data/objects/`, a plain folder
"""

from tuneline.local.storage.routes import Storage, app

__all__ = ["Storage", "app"]
