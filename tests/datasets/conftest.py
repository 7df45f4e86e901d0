"""The object store that datasets are read from and written to is the local service's own."""

from tests.objects.conftest import storage_url

__all__ = ["storage_url"]
