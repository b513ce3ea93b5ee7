"""The interface of the jobs as an OpenAPI document."""

from __future__ import annotations

from typing import Any

from diarize import __version__
from diarize.formats import FORMATS

_STATES = ["waiting", "running", "done", "failed"]
_ERRORS = {
    "400": "the request is malformed",
    "401": "the token is wrong",
    "403": "the request names another host, or comes from a page of another origin",
    "404": "no such job or address, or no token",
    "408": "the upload is too slow",
    "409": "the job has no result: it waits, runs or has failed",
    "410": "the result is gone from the disk of the server",
    "413": "the recording is too large",
    "422": "a parameter is wrong, or the format cannot hold the result",
    "429": "too many uploads are running; Retry-After says when to try again",
    "503": "too many jobs are waiting, or the server stops; Retry-After says when to try again",
    "507": "the disk is full, or the server holds too many jobs",
}
_ALWAYS = ("401", "403", "404")


def describe_interface() -> dict[str, Any]:
    """The OpenAPI document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "diarize",
            "version": __version__,
            "summary": "Who spoke when: upload a recording, follow its job, fetch the turns.",
        },
        "servers": [{"url": ".", "description": "the address that holds this document"}],
        "security": [{"token": []}, {}],
        "paths": {
            "/status": {"get": _operation("Version, number of jobs by state, limits", _json(_object()))},
            "/jobs": {
                "get": _operation(
                    "All jobs, the oldest first", _json(_object(jobs={"type": "array", "items": _ref()}))
                ),
                "post": _upload(),
            },
            "/jobs/{id}": {
                "parameters": [_ID],
                "get": _operation("A job", _json(_ref())),
                "delete": _operation("Delete a job and its files; if it runs, it ends", None, "204"),
            },
            "/jobs/{id}/events": {
                "parameters": [_ID],
                "get": _operation(
                    "The job at each change, as server-sent events named `job`, until it has ended",
                    {"text/event-stream": {"schema": {"type": "string"}}},
                ),
            },
            "/jobs/{id}/result": {
                "parameters": [_ID, _FORMAT],
                "get": _operation(
                    "The result of a job that is done",
                    {**_json(_object()), "text/plain": {"schema": {"type": "string"}}},
                    errors=("409", "410", "422"),
                ),
            },
        },
        "components": {
            "schemas": {"Job": _JOB, "Error": _object(error={"type": "string"})},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "the token of the server; or leave the header out and put the token first "
                    "in the path: /TOKEN/jobs",
                }
            },
        },
    }


def _upload() -> dict[str, Any]:
    about = "Upload a recording, in any format that is read, as the body of the request"
    return {
        **_operation(about, _json(_ref()), "201", ("400", "408", "413", "422", "429", "503", "507")),
        "parameters": [
            _query("name", {"type": "string", "maxLength": 200}, "name of the file"),
            _query("num_speakers", {"type": "integer", "minimum": 1, "maximum": 999}, "if it is known"),
        ],
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        },
    }


def _operation(
    summary: str, content: dict[str, Any] | None, status: str = "200", errors: tuple[str, ...] = ()
) -> dict[str, Any]:
    answer = {"description": "done"} if content is None else {"description": "done", "content": content}
    wrong = _json({"$ref": "#/components/schemas/Error"})
    answers = {each: {"description": _ERRORS[each], "content": wrong} for each in sorted({*_ALWAYS, *errors})}
    return {"summary": summary, "responses": {status: answer, **answers}}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _ref() -> dict[str, Any]:
    return {"$ref": "#/components/schemas/Job"}


def _query(name: str, schema: dict[str, Any], about: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": about}


def _or_null(kind: str, about: str) -> dict[str, Any]:
    return {"type": [kind, "null"], "description": about}


_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
_FORMAT = _query("format", {"type": "string", "enum": [*FORMATS], "default": "json"}, "format of the result")
_JOB = _object(
    id={"type": "string"},
    recording={"type": "string", "description": "id of the recording, from the name of the file"},
    state={"type": "string", "enum": _STATES},
    place=_or_null("integer", "place in the queue, from 1, while it waits"),
    num_speakers=_or_null("integer", "as given"),
    created={"type": "string", "format": "date-time"},
    changed={"type": "string", "format": "date-time", "description": "when its state changed"},
    progress={
        **_object(
            stage={"type": "string"},
            done={"type": "number", "description": "seconds of the recording, or windows"},
            total=_or_null("number", "if it is known"),
        ),
        "type": ["object", "null"],
    },
    duration=_or_null("number", "seconds of audio, when it is done"),
    seconds=_or_null("number", "seconds of work, when it is done"),
    speakers=_or_null("integer", "number of speakers, when it is done"),
    error=_or_null("string", "why it has failed"),
)
