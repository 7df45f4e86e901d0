"""Objects of the JSON API: metadata, delete, copy, rewrite, compose, move."""

from __future__ import annotations

from typing import Any

from tuneline.local.storage.bodies import Body
from tuneline.local.storage.conditions import Conditions, of_query
from tuneline.local.storage.errors import Refusal, invalid, no_object
from tuneline.local.storage.exchange import Request, Response, json_response
from tuneline.local.storage.index import Transaction
from tuneline.local.storage.names import check_object
from tuneline.local.storage.store import (
    EDITABLE,
    Resource,
    Store,
    bucket_of,
    current,
    edited,
    insert,
    loaded,
    replace,
    retire,
)

MAX_SOURCES = 32
"""Objects that one compose may join."""


async def get(store: Store, request: Request, bucket: str, name: str) -> Response:
    await request.calling("storage.objects.get", f"gs://{bucket}/{name}", write=False)
    resource = loaded(store.find(bucket, name, request.number("generation")))
    of_query(request).check(resource, reading=True)
    return json_response(resource)


async def change(store: Store, request: Request, bucket: str, name: str) -> Response:
    """PATCH changes what is named; PUT replaces all that a caller may say."""
    whole = request.method == "PUT"
    await request.calling("storage.objects.update" if whole else "storage.objects.patch", f"gs://{bucket}/{name}")
    said, conditions, generation = await request.json(), of_query(request), request.number("generation")

    def step(tx: Transaction) -> Resource:
        row = current(tx, bucket, name, generation)
        resource = loaded(row)
        conditions.check(resource)
        return replace(tx, row, edited(bucket_of(tx, bucket), resource, said, whole=whole))

    return json_response(await store.index.write(step))


async def delete(
    store: Store, request: Request, bucket: str, name: str, conditions: Conditions | None = None
) -> Response:
    """Deletes the live object, or one generation for good."""
    await request.calling("storage.objects.delete", f"gs://{bucket}/{name}")
    wanted, generation = conditions or of_query(request), request.number("generation")

    def step(tx: Transaction) -> None:
        row = current(tx, bucket, name, generation)
        wanted.check(loaded(row))
        retire(tx, bucket_of(tx, bucket), row, forever=generation is not None)

    await store.index.write(step)
    return Response(status=204)


async def copy(
    store: Store, request: Request, source: tuple[str, str], target: tuple[str, str], *, rewrite: bool
) -> Response:
    """A new object with the source's content, in one call however large it is; said metadata overrides the source's."""
    bucket, name = target
    await request.calling("storage.objects.rewrite" if rewrite else "storage.objects.copy", f"gs://{bucket}/{name}")
    check_object(name)
    said, conditions = await request.json(), of_query(request)
    origin, body = await _second(store, request, source, request.number("sourceGeneration"))
    told = {key: origin[key] for key in EDITABLE if key in origin and key not in _OF_THE_PLACE} | said
    resource = await store.insert(bucket, name, told, body, conditions, **_count(origin))
    if not rewrite:
        return json_response(resource)
    size = resource["size"]
    answer = {"kind": "storage#rewriteResponse", "totalBytesRewritten": size, "objectSize": size, "done": True}
    return json_response(answer | {"resource": resource})


async def move(store: Store, request: Request, bucket: str, source: str, target: str) -> Response:
    """Renames an object within its bucket: both names change in one step."""
    await request.calling("storage.objects.move", f"gs://{bucket}/{source}")
    check_object(target)
    if source == target:
        raise Refusal(400, "An object cannot be moved to its own name.")
    await request.read()
    conditions, source_conditions = of_query(request), of_query(request, "ifSource")
    origin, body = await _second(store, request, (bucket, source), None)

    def step(tx: Transaction) -> Resource:
        row = current(tx, bucket, source)
        if str(row["generation"]) != origin["generation"]:
            raise Refusal(409, f"gs://{bucket}/{source} was replaced while it was being moved: try again.")
        fresh = loaded(row)
        source_conditions.check(fresh)
        retire(tx, bucket_of(tx, bucket), row)
        told = {key: fresh[key] for key in EDITABLE if key in fresh}
        return insert(tx, bucket, target, told, body, conditions, **_count(fresh))

    return json_response(await store.commit(step, body))


async def compose(store: Store, request: Request, bucket: str, name: str) -> Response:
    """Joins up to 32 objects of a bucket into one, which has a crc32c but no md5."""
    await request.calling("storage.objects.compose", f"gs://{bucket}/{name}")
    check_object(name)
    said, conditions = await request.json(), of_query(request)
    sources, destination = said.get("sourceObjects"), said.get("destination") or {}
    if not isinstance(sources, list) or not 1 <= len(sources) <= MAX_SOURCES or not isinstance(destination, dict):
        what = f"sourceObjects must name 1 to {MAX_SOURCES} objects, and destination be an object."
        raise Refusal(400, what, reason="required", location="sourceObjects")
    store.precheck(bucket, name, conditions)
    rows = []
    for source in sources:
        part, generation, wanted = _source(source)
        rows.append(store.find(bucket, part, generation))
        Conditions(generation=wanted).check(loaded(rows[-1]))
    parts = [loaded(row) for row in rows]
    told = {"contentType": parts[0].get("contentType")} | {k: v for k, v in destination.items() if k in EDITABLE}
    async with store.bodies.draft(md5=False) as draft:
        try:
            await draft.append(store.bodies.path(row["blob"]) for row in rows)
        except FileNotFoundError as error:
            raise no_object(bucket, "a source object, which was replaced while it was read") from error
        body = await draft.finish()
    count = sum(int(part.get("componentCount", 1)) for part in parts)
    return json_response(await store.insert(bucket, name, told, body, conditions, componentCount=count))


_OF_THE_PLACE = ("storageClass", "temporaryHold", "eventBasedHold", "acl", "kmsKeyName", "retention")
"""What a copy does not take along: its bucket's defaults apply."""


def _source(given: Any) -> tuple[str, int | None, int | None]:
    """Name, generation and wanted generation of one source of a compose."""
    try:
        wanted = (given.get("objectPreconditions") or {}).get("ifGenerationMatch")
        generation = given.get("generation")
        numbers = [None if number in (None, "") else int(number) for number in (generation, wanted)]
        return str(given["name"]), numbers[0], numbers[1]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        text = f"A source object must be given as {{name, generation, objectPreconditions}}: {error}."
        raise invalid(text, location="sourceObjects") from error


async def _second(
    store: Store, request: Request, source: tuple[str, str], generation: int | None
) -> tuple[Resource, Body]:
    """The source of a copy and a second body of its content."""
    bucket, name = source
    conditions = of_query(request, "ifSource")
    while True:
        row = store.find(bucket, name, generation)
        origin = loaded(row)
        conditions.check(origin)
        try:
            blob = await store.bodies.run(store.bodies.link, row["blob"])
        except FileNotFoundError:
            if store.find(bucket, name, generation)["blob"] == row["blob"]:
                raise
            continue
        return origin, Body(blob=blob, size=int(origin["size"]), crc32c=origin["crc32c"], md5=origin.get("md5Hash", ""))


def _count(resource: Resource) -> dict[str, Any]:
    return {"componentCount": resource["componentCount"]} if "componentCount" in resource else {}
