"""Pipelines run against the local service, and every task of theirs is a real process."""

from tuneline.testing import fresh_vertex, local_vertex, vertex_environment

__all__ = ["fresh_vertex", "local_vertex", "vertex_environment"]
