"""The fixtures that tuneline ships to its users are the ones it is tested with."""

from tuneline.testing import fresh_vertex, local_vertex, vertex_environment

__all__ = ["fresh_vertex", "local_vertex", "vertex_environment"]
