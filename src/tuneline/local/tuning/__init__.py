"""Tuning jobs, from the request to the tuned model: what `behaviours/tuning_jobs.py` is made of.

`spec` what a job asks for; `request` what is refused; `data` the rows that are trained on; `curves` the experiment and
its TensorBoard, while the job runs; `results` model, checkpoints and endpoints; `quota` how many run at a time.
`python -m tuneline.local.tuning FOLDER` is the job's own process.
"""
