"""Fine-tuning pipelines for Vertex AI that run on a laptop first."""

from tuneline._version import __version__

__all__ = ["__version__"]
