"""Pipelines for the runner's tests, each ending in outputs that two runners can be compared by.

No `from __future__ import annotations` here: KFP reads the annotations themselves.
"""

from collections.abc import Callable
from typing import Dict, List, NamedTuple, Optional  # noqa: UP035 - KFP knows these spellings alone

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, InputPath, Metrics, Output, OutputPath, PipelineTaskFinalStatus

IMAGE = "python:3.11"


def component(function: Callable) -> dsl.base_component.BaseComponent:
    return dsl.component(function, base_image=IMAGE, install_kfp_package=False)


@component
def join(left: str, right: str = "-") -> str:
    return left + right


@component
def add(a: int, b: int = 1) -> int:
    return a + b


@component
def types(
    text: str,
    whole: int,
    real: float,
    flag: bool,
    items: list,
    mapping: dict,
    none: Optional[str] = None,  # noqa: UP045
) -> NamedTuple("Out", [("text", str), ("whole", int), ("real", float), ("flag", bool), ("items", list), ("m", dict)]):
    assert isinstance(whole, int)
    assert isinstance(real, float)
    assert none is None
    return (text, whole + 1, real / 2, not flag, [*items, "é"], {**mapping, "new": True})


@component
def write(text: str, data: Output[Dataset], scores: Output[Metrics]):
    with open(data.path, "w") as file:
        file.write(text)
    data.metadata["length"] = len(text)
    scores.log_metric("length", len(text))


@component
def read(data: Input[Dataset]) -> str:
    with open(data.path) as file:
        return f"{file.read()} {int(data.metadata['length'])}"


@component
def write_path(text: str, out: OutputPath("Dataset"), count: OutputPath(int)):
    with open(out, "w") as file:
        file.write(text)
    with open(count, "w") as file:
        file.write(str(len(text)))


@component
def read_path(data: InputPath("Dataset")) -> str:
    with open(data) as file:
        return file.read()


@component
def total(numbers: List[int]) -> int:  # noqa: UP006
    return int(sum(numbers))


@component
def concatenate(parts: Input[List[Dataset]]) -> str:  # noqa: UP006
    return "|".join(open(part.path).read() for part in parts)


@component
def choose(which: str) -> str:
    return which


@component
def describe(thing: Input[Artifact]) -> str:
    return f"{thing.uri} {thing.metadata['origin']}"


@component
def items() -> List[Dict[str, str]]:  # noqa: UP006
    return [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]


@dsl.pipeline
def linear(word: str = "ab", number: int = 3) -> NamedTuple("Out", [("text", str), ("sum", int)]):
    first = join(left=word, right=f"<{word}>")
    second = join(left=first.output, right=word)
    summed = add(a=number)
    return NamedTuple("Out", [("text", str), ("sum", int)])(text=second.output, sum=summed.output)


@dsl.pipeline
def number_in_text(number: int = 3) -> str:
    return join(left=f"<{number}>", right=f"{add(a=number).output}").output


@dsl.pipeline
def parameter_types(real: float = 3.0) -> NamedTuple(
    "Out", [("whole", int), ("real", float), ("items", list), ("m", dict)]
):
    made = types(
        text='it\'s "quoted" {{braces}}\n\\',
        whole=2,
        real=real,
        flag=True,
        items=[1, "a", [True]],
        mapping={"k": [1.5]},
    )
    return NamedTuple("Out", [("whole", int), ("real", float), ("items", list), ("m", dict)])(
        whole=made.outputs["whole"], real=made.outputs["real"], items=made.outputs["items"], m=made.outputs["m"]
    )


@dsl.pipeline
def artifacts(text: str = "grüße") -> NamedTuple("Out", [("text", str), ("path", str)]):
    made = write(text=text)
    by_path = write_path(text=text)
    return NamedTuple("Out", [("text", str), ("path", str)])(
        text=read(data=made.outputs["data"]).output, path=read_path(data=by_path.outputs["out"]).output
    )


@dsl.pipeline
def inner(word: str) -> str:
    return join(left=word, right="!").output


@dsl.pipeline
def nested(word: str = "deep") -> str:
    return inner(word=inner(word=word).output).output


@dsl.pipeline
def branches(which: str = "b", number: int = 5) -> NamedTuple("Out", [("word", str), ("size", str)]):
    chosen = choose(which=which)
    with dsl.If(chosen.output == "a"):
        first = join(left="was a")
    with dsl.Elif(chosen.output == "b"):
        second = join(left="was b")
    with dsl.Else():
        third = join(left="was neither")
    with dsl.If(number > 4):
        large = join(left="large")
    with dsl.Else():
        small = join(left="small")
    return NamedTuple("Out", [("word", str), ("size", str)])(
        word=dsl.OneOf(first.output, second.output, third.output), size=dsl.OneOf(large.output, small.output)
    )


@dsl.pipeline
def loops(numbers: List[int] = [1, 2, 3]) -> NamedTuple("Out", [("sum", int), ("text", str), ("fields", int)]):  # noqa: B006, UP006
    with dsl.ParallelFor(numbers) as number:
        grown = add(a=number, b=10)
    with dsl.ParallelFor(["x", "y"], parallelism=1) as letter:
        made = write(text=letter)
    with dsl.ParallelFor(items().output) as item:
        joined = join(left=item.a, right=item.b)
        lengths = add(a=1, b=1).after(joined)
    return NamedTuple("Out", [("sum", int), ("text", str), ("fields", int)])(
        sum=total(numbers=dsl.Collected(grown.output)).output,
        text=concatenate(parts=dsl.Collected(made.outputs["data"])).output,
        fields=total(numbers=dsl.Collected(lengths.output)).output,
    )


@dsl.pipeline
def imports(origin: str = "elsewhere") -> str:
    found = dsl.importer(
        artifact_uri="gs://some/where", artifact_class=Artifact, metadata={"origin": origin}, reimport=False
    )
    return describe(thing=found.output).output


@component
def fail(word: str, code: int = 0):
    import sys

    if code:
        sys.exit(code)
    raise ValueError(f"no good: {word}\n  - first reason\n  - second reason")


@component
def tell(status: PipelineTaskFinalStatus, told: OutputPath(str), word: str):
    import json

    with open(told, "w") as file:
        json.dump({**vars(status), "word": word}, file)


@component
def fail_until(folder: str, times: int) -> int:
    import pathlib

    counter = pathlib.Path(folder, "count")
    count = int(counter.read_text()) + 1 if counter.exists() else 1
    counter.write_text(str(count))
    if count <= times:
        raise RuntimeError(f"try {count}")
    return count


@component
def count(folder: str, data: Output[Dataset], word: str = "w") -> int:
    import pathlib

    counter = pathlib.Path(folder, "count")
    runs = int(counter.read_text()) + 1 if counter.exists() else 1
    counter.write_text(str(runs))
    pathlib.Path(data.path).write_text(f"{word}{runs}")
    return runs


@dsl.pipeline
def counted(folder: str, word: str = "w") -> NamedTuple("Out", [("runs", int), ("text", str)]):
    made = count(folder=folder, word=word)
    text = read_path(data=made.outputs["data"])
    return NamedTuple("Out", [("runs", int), ("text", str)])(runs=made.outputs["Output"], text=text.output)


@component
def large(length: int) -> str:
    return "é" * length


@component
def not_a_number(text: str, scores: Output[Metrics]) -> float:
    scores.log_metric("loss", float("nan"))
    scores.log_metric("length", len(text))
    return float("inf")


@dsl.pipeline
def odd_values(length: int = 300_000) -> float:
    return not_a_number(text=large(length=length).output).outputs["Output"]


@component
def linger(folder: str, name: str, seconds: float = 60.0) -> str:
    """Says that it began, cleans up when it is told to stop, and counts its runs."""
    import pathlib
    import signal
    import sys
    import time

    def stop(*_):
        pathlib.Path(folder, f"{name}.stopped").touch()
        sys.exit(75)

    signal.signal(signal.SIGTERM, stop)
    with pathlib.Path(folder, f"{name}.began").open("a") as file:
        file.write("began\n")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not pathlib.Path(folder, f"{name}.go").exists():
        time.sleep(0.01)
    return name


@component
def alone(folder: str, number: int, seconds: float = 0.3) -> int:
    """Fails to notice nothing: says so if another of its kind runs at the same time."""
    import fcntl
    import pathlib
    import time

    with pathlib.Path(folder, f"{number}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pathlib.Path(folder, f"{number}.beside").touch()
        time.sleep(seconds)
        with pathlib.Path(folder, f"{number}.done").open("a") as file:
            file.write("done\n")
    return number


@dsl.pipeline
def stormy(folder: str) -> int:
    with dsl.ParallelFor([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], parallelism=2) as number:
        first = alone(folder=folder, number=number)
        first.set_retry(num_retries=50, backoff_duration="0s")
        first.set_caching_options(False)
    return total(numbers=dsl.Collected(first.output)).output


@dsl.pipeline
def handled(word: str = "w", code: int = 0) -> None:
    with dsl.ExitHandler(tell(word=word)):
        fail(word=word, code=code)
        join(left="independent")


@dsl.pipeline
def handled_well(word: str = "w") -> None:
    with dsl.ExitHandler(tell(word=word)):
        join(left=word)


@dsl.pipeline
def retried(folder: str, times: int) -> int:
    task = fail_until(folder=folder, times=times)
    task.set_retry(num_retries=2, backoff_duration="0s")
    return task.output


@dsl.pipeline
def waits(folder: str) -> None:
    with dsl.ExitHandler(tell(word="exit")):
        first = join(left="first")
        second = linger(folder=folder, name="second").after(first)
        join(left=second.output)


@dsl.pipeline
def goes_on(folder: str, seconds: float = 60.0) -> str:
    first = linger(folder=folder, name="first", seconds=0.0)
    second = linger(folder=folder, name="second", seconds=seconds).after(first)
    return join(left=first.output, right=second.output).output


@dsl.pipeline
def together(folder: str) -> None:
    for name in ("one", "two", "three"):
        linger(folder=folder, name=name)


@dsl.pipeline
def ignores(word: str = "w") -> str:
    first = fail(word=word)
    return join(left="after", right="-").after(first).ignore_upstream_failure().output


@component
def says(values: list) -> list:
    return values


@dsl.pipeline
def placeholders(default: str = dsl.PIPELINE_JOB_NAME_PLACEHOLDER) -> list:
    return says(
        values=[
            dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
            dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
            dsl.PIPELINE_JOB_ID_PLACEHOLDER,
            dsl.PIPELINE_TASK_NAME_PLACEHOLDER,
            dsl.PIPELINE_TASK_ID_PLACEHOLDER,
            dsl.PIPELINE_ROOT_PLACEHOLDER,
            dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
            dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER,
            "{{$.pipeline_google_cloud_project_id}}/{{$.pipeline_google_cloud_location}}",
            default,
        ]
    ).output


@dsl.container_component
def shell(text: str, out: Output[Dataset], count: OutputPath(int)):
    return dsl.ContainerSpec(
        image="somewhere/alpine:3",
        command=["sh", "-c", 'mkdir -p "$(dirname "$1")" && printf %s "$0" > "$1" && printf %s "${#0}" > "$2"'],
        args=[text, out.path, count],
    )


@dsl.pipeline
def container(text: str = "in a box") -> int:
    return shell(text=text).outputs["count"]


@dsl.pipeline
def our_container(text: str = "in a box") -> str:
    return read_path(data=shell(text=text).outputs["out"]).output


@dsl.component(base_image=IMAGE, install_kfp_package=True, packages_to_install=["six==1.16.0"])
def foreign() -> str:
    import six

    return six.__version__


@dsl.pipeline
def foreigners() -> str:
    return foreign().output
