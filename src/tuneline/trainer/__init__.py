"""The trainer: LoRA fine-tuning of open decoder models in JAX, the same program on CPU, GPU and TPU.

It runs alone, as `python -m tuneline.trainer --config URI --output URI`; config and outputs are written down in
`docs/trainer.md`, so that another container can be named in its place. Hugging Face formats at both ends.
"""
