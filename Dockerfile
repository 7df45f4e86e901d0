# Two images of one repository, both from the lock:
#   docker build --target steps   -t tuneline/tuneline-python:0.1.0 .          the pipelines' steps
#   docker build --target trainer -t tuneline/tuneline-trainer-python:0.1.0 .  the tuning job
# BASE must hold Python 3.11 to 3.13 with venv and pip.
ARG BASE=python:3.11-slim
FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv /opt/tuneline
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN /opt/tuneline/bin/python -m pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock
COPY src src
COPY compiled compiled
RUN /opt/tuneline/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation .

FROM ${BASE} AS steps
COPY --from=build /opt/tuneline /opt/tuneline
ENV PATH=/opt/tuneline/bin:$PATH PYTHONUNBUFFERED=1

FROM steps AS trainer
ENTRYPOINT []
CMD ["python", "-m", "tuneline.trainer", "--help"]
