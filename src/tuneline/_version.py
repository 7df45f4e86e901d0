"""The one place that states the version; the build and every compiled step read it."""

__version__ = "0.1.0"
