"""The registry is tested against the local service."""

from tuneline.testing import fresh_vertex, local_vertex, vertex_environment

__all__ = ["fresh_vertex", "local_vertex", "vertex_environment"]
