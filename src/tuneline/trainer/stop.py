"""Being told to stop."""


class Stopped(Exception):  # no error: the run is well, and can be resumed
    """The run was told to stop and left a checkpoint, from which the same command goes on."""
