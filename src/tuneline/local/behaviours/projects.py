"""Projects and locations: every project exists here, under its id and its number; locations are those of Vertex AI."""

from __future__ import annotations

from typing import Any

from tuneline.local.resources.behaviour import Call, invalid, method
from tuneline.local.resources.names import check_location
from tuneline.local.resources.projects import Projects

BEGINNING = 1_767_225_600
"""Projects were made when 2026 began: a time that is the same in every answer."""


@method("google.cloud.resourcemanager.v3.Projects.GetProject")
def get_project(service: Any, request: Any, call: Call) -> Any:
    """The project by id or number, as Resource Manager answers it: clients compare the numbers."""
    given = request.name.removeprefix("projects/")
    project = service.projects.id(given)
    if not project.isdigit() and not Projects.valid(project):
        raise invalid("name", f"'{request.name}' is no project: 6 to 30 lower-case letters, digits and hyphens.")
    found = service.api.new("google.cloud.resourcemanager.v3.Project")
    found.name = f"projects/{given if project.isdigit() else service.projects.number(project)}"
    found.project_id = project
    found.display_name = project
    found.state = "ACTIVE"
    found.create_time.FromSeconds(BEGINNING)
    return found


@method("google.cloud.location.Locations.ListLocations")
def list_locations(service: Any, request: Any, call: Call) -> Any:
    """The regions of the catalogue, and the multi-regions."""
    from tuneline import catalog

    answer = service.api.new("google.cloud.location.ListLocationsResponse")
    for region in (*catalog.regions(), "us", "eu", "global"):
        answer.locations.add(name=f"{request.name}/locations/{region}", location_id=region)
    return answer


@method("google.cloud.location.Locations.GetLocation")
def get_location(service: Any, request: Any, call: Call) -> Any:
    """One location, if it is one."""
    check_location(request.name, "name")
    location = request.name.rpartition("/")[2]
    return service.api.new("google.cloud.location.Location", name=request.name, location_id=location)
