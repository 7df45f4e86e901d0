"""One function a component: parameters and URIs in, artifacts and a record out.

Each module is called by the body of the component of its name (`components/<name>.py`) and by nothing else. Artifacts
are known by `uri` and `metadata` alone: what lies at the URI is read and written with `tuneline.objects`, since the
path that a runner mounts there does not exist everywhere.
"""
