"""One pipeline template a file: only wiring. Compiled to `compiled/pipelines/` by `python -m pipelines.compile`."""
