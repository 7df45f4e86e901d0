"""The XML API, as far as the official clients and signed URLs use it.

https://cloud.google.com/storage/docs/xml-api/overview. Objects are at `/BUCKET/OBJECT`.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

from tuneline.local.storage import downloads, forms, multipart, objects, signed
from tuneline.local.storage.conditions import of_headers
from tuneline.local.storage.errors import Refusal, invalid
from tuneline.local.storage.exchange import Request, Response, decode, xml_response
from tuneline.local.storage.listing import MAX_PAGE, Query, page
from tuneline.local.storage.names import check_object
from tuneline.local.storage.sessions import Sessions
from tuneline.local.storage.store import Resource, Store
from tuneline.local.storage.uploads import check_sums

_META = "x-goog-meta-"
_HEADERS = {
    "content-type": "contentType",
    "cache-control": "cacheControl",
    "content-disposition": "contentDisposition",
    "content-encoding": "contentEncoding",
    "content-language": "contentLanguage",
    "x-goog-storage-class": "storageClass",
    "x-goog-custom-time": "customTime",
}


async def answer(store: Store, sessions: Sessions, request: Request, bucket: str, name: str) -> Response:
    """Routes one request; `name` is '' for a request on the bucket itself."""
    signed.check(request)
    if not name:
        return await _bucket(store, request, bucket)
    given = request.query
    match request.method:
        case "GET" if "uploadId" in given:
            return await multipart.list_parts(store, request, bucket, name)
        case "GET" | "HEAD":
            return await downloads.content(store, request, bucket, name, of_headers(request))
        case "POST" if "uploads" in given:
            return await multipart.start(store, request, bucket, name, _said(request))
        case "POST" if "uploadId" in given:
            return await multipart.complete(store, request, bucket, name, of_headers(request))
        case "POST" if _resumable(request) == "start":
            return await sessions.start(request, bucket, said=_said(request), name=name, xml=True)
        case "PUT" if "uploadId" in given:
            return await multipart.put_part(store, request, bucket, name)
        case "PUT" if "upload_id" in given:
            return await sessions.receive(request, request.first("upload_id"))
        case "PUT" if "x-goog-copy-source" in request.headers:
            return await _copy(store, request, bucket, name)
        case "PUT":
            return await _put(store, request, bucket, name)
        case "DELETE" if "uploadId" in given:
            return await multipart.abort(store, request, bucket, name)
        case "DELETE" if "upload_id" in given:
            return await sessions.cancel(request, request.first("upload_id"))
        case "DELETE":
            return await objects.delete(store, request, bucket, name, of_headers(request))
    raise Refusal(405, f"{request.method} is not served for an object of the XML API here.")


async def _put(store: Store, request: Request, bucket: str, name: str) -> Response:
    await request.calling("storage.objects.insert", f"gs://{bucket}/{name}")
    check_object(name)
    conditions = of_headers(request)
    store.precheck(bucket, name, conditions)
    async with store.bodies.draft() as draft:
        async for piece in request.body:
            await draft.write(piece)
        await draft.settle()
        check_sums(draft.body(), {}, request.headers)
        body = await draft.finish()
    return _stored(await store.insert(bucket, name, _said(request), body, conditions))


async def _copy(store: Store, request: Request, bucket: str, name: str) -> Response:
    source_bucket, _, source = decode(request.headers["x-goog-copy-source"].lstrip("/")).partition("/")
    if not source:
        raise invalid("x-goog-copy-source must be BUCKET/OBJECT.", location="x-goog-copy-source")
    await objects.copy(store, request, (source_bucket, source), (bucket, name), rewrite=False)
    resource = store.find(bucket, name)
    return xml_response(f"<CopyObjectResult><Generation>{resource['generation']}</Generation></CopyObjectResult>")


async def _bucket(store: Store, request: Request, bucket: str) -> Response:
    if request.method == "HEAD":
        store.bucket(bucket)
        return Response()
    if request.method == "POST":
        return await forms.receive(store, request, bucket)
    if request.method != "GET":
        raise Refusal(405, "Buckets are made, changed and deleted by the JSON API here.")
    if "uploads" in request.query:
        return await multipart.list_uploads(store, request, bucket)
    await request.calling("storage.objects.list", f"gs://{bucket}", write=False)
    second = request.first("list-type") == "2"
    query = Query(
        bucket=bucket,
        prefix=request.first("prefix"),
        delimiter=request.first("delimiter"),
        start=request.first("start-after") + "\0" if request.first("start-after") else "",
        limit=min(request.number("max-keys") or MAX_PAGE, MAX_PAGE),
        after=request.first("continuation-token" if second else "marker"),
        versions="versions" in request.query,
    )
    found = page(store, query)
    items = "".join(
        f"<Contents><Key>{escape(item['name'])}</Key><Generation>{item['generation']}</Generation>"
        f"<MetaGeneration>{item['metageneration']}</MetaGeneration><LastModified>{item['updated']}</LastModified>"
        f'<ETag>"{item["etag"]}"</ETag><Size>{item["size"]}</Size></Contents>'
        for item in found.items
    )
    prefixes = "".join(f"<CommonPrefixes><Prefix>{escape(p)}</Prefix></CommonPrefixes>" for p in found.prefixes)
    tag = "NextContinuationToken" if second else "NextMarker"
    token = f"<{tag}>{found.next_token}</{tag}>" if found.next_token else ""
    return xml_response(
        "<?xml version='1.0' encoding='UTF-8'?><ListBucketResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'>"
        f"<Name>{bucket}</Name><Prefix>{escape(query.prefix)}</Prefix>{token}"
        f"<IsTruncated>{str(bool(token)).lower()}</IsTruncated>{items}{prefixes}</ListBucketResult>"
    )


def _said(request: Request) -> Resource:
    """What the headers say of the object to be written."""
    said: Resource = {field: request.headers[header] for header, field in _HEADERS.items() if header in request.headers}
    custom = {key[len(_META) :]: value for key, value in request.headers.items() if key.startswith(_META)}
    if custom:
        said["metadata"] = custom
    said.setdefault("contentType", "application/octet-stream")
    return said


def _stored(resource: Resource) -> Response:
    headers = [
        ("etag", f'"{resource["etag"]}"'),
        ("x-goog-generation", resource["generation"]),
        ("x-goog-metageneration", resource["metageneration"]),
        ("x-goog-stored-content-length", resource["size"]),
        ("x-goog-hash", f"crc32c={resource['crc32c']},md5={resource['md5Hash']}"),
    ]
    return Response(headers=headers)


def _resumable(request: Request) -> str:
    return request.headers.get("x-goog-resumable", "") or request.first("x-goog-resumable")
