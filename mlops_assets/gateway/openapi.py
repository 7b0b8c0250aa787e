"""The gateway's OpenAPI document, from the types that its bodies are decoded into; and the same as a plain page.

Here belongs what is public about predictions. Operator's routes and feeds are told with their roles.
"""

from html import escape
from typing import Any

import msgspec

from mlops_assets.declare import UseCase
from mlops_assets.gateway.inference import Inference, Inferred
from mlops_assets.gateway.invocations import CSV, Invocation, Predictions
from mlops_assets.gateway.replies import JSON

_REF = "#/components/schemas/{name}"
_REFUSALS = {
    400: "something in the request is not what it must be", 404: "no such model, or the version does not answer now",
    405: "not this method", 408: "the request did not arrive in time", 409: "the request id was used otherwise",
    413: "too large", 415: "another content type", 422: "the model has no answer to these values",
    431: "the header is too large", 500: "a fault of the gateway", 503: "not now: send it again after Retry-After",
}  # fmt: skip
_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "td{padding:.2em .8em .2em 0;vertical-align:top}pre{overflow:auto;background:#f4f4f4;padding:1em}"
)
_ID = {"name": "X-Request-Id", "in": "header", "required": False, "description": "the id of the prediction, else made",
       "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,100}$"}}  # fmt: skip


def document(use_case: UseCase) -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(_document(use_case))


def page(use_case: UseCase) -> bytes:
    """The document as a page that needs nothing else."""
    told = _document(use_case)
    rows = []
    for path, methods in told["paths"].items():
        for method, said in methods.items():
            codes = ", ".join(said["responses"])
            rows.append(
                f"<tr><td><code>{method.upper()}</code></td><td><code>{escape(path)}</code></td>"
                f"<td>{escape(said['summary'])}</td><td>{codes}</td></tr>"
            )
    schemas = escape(msgspec.json.format(msgspec.json.encode(told["components"]["schemas"]), indent=2).decode())
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{escape(use_case.name)}</title><style>{_STYLE}</style><h1>{escape(use_case.name)}</h1>"
        f"<p>{escape(use_case.doc)}</p><p><a href=/openapi.json>openapi.json</a></p>"
        f"<table>{''.join(rows)}</table><h2>Schemas</h2><pre>{schemas}</pre>"
    ).encode()


def _document(use_case: UseCase) -> dict[str, Any]:
    (one, predictions, inference, inferred), schemas = msgspec.json.schema_components(
        (Invocation, Predictions, Inference, Inferred), ref_template=_REF
    )
    schemas["Error"] = _error()
    features = ", ".join(feature.name for feature in use_case.model_features)
    model = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "enum": [use_case.name]}}
    version = {"name": "version", "in": "path", "required": True, "schema": {"type": "string"}}
    infer = _post("Open Inference Protocol v2: one input for each feature", inference, inferred, 404)
    paths: dict[str, Any] = {
        "/invocations": {"post": _post(f"MLflow's protocol. Features: {features}", one, predictions, 0, csv=True)},
        "/v2/models/{name}/infer": {"post": _with(infer, model)},
        "/v2/models/{name}/versions/{version}/infer": {"post": _with(infer, model, version)},
        "/v2/models/{name}": {"get": _with(_get("what the model takes and gives", 404), model)},
        "/v2/models/{name}/versions/{version}": {
            "get": _with(_get("the same, of a version that answers", 404), model, version)
        },
        "/v2/models/{name}/ready": {"get": _with(_get("the champion would answer at once", 404, 503), model)},
        "/v2/models/{name}/versions/{version}/ready": {
            "get": _with(_get("the version would", 404, 503), model, version)
        },
        "/v2": {"get": _get("what the server is")},
        "/v2/health/live": {"get": _get("the process lives")},
        "/v2/health/ready": {"get": _get("predictions would be answered", 503)},
        "/ping": {"get": _get("predictions would be answered", 503, kind="application/json")},
        "/health": {"get": _get("predictions would be answered", 503, kind="application/json")},
        "/version": {"get": _get("the version of MLflow whose protocol is spoken", kind="text/plain")},
        "/healthz": {"get": _get("the process lives")},
        "/readyz": {"get": _get("predictions would be answered", 503)},
        "/metrics": {"get": _get("counts in Prometheus' text format", kind="text/plain")},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": use_case.name, "description": use_case.doc, "version": "1"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _post(summary: str, given: Any, made: Any, *more: int, csv: bool = False) -> dict[str, Any]:
    content = {JSON: {"schema": given}} | ({CSV: {"schema": {"type": "string"}}} if csv else {})
    headers = {name: {"schema": {"type": "string"}} for name in ("X-Request-Id", "X-Model-Version", "X-Arm")}
    answered = {"description": "the predictions", "content": {JSON: {"schema": made}}, "headers": headers}
    codes = sorted({400, 405, 408, 409, 413, 415, 422, 431, 503, *more} - {0})
    return {
        "summary": summary,
        "parameters": [_ID],
        "requestBody": {"required": True, "content": content},
        "responses": {"200": answered, **{str(code): _refused(code) for code in codes}},
    }


def _get(summary: str, *more: int, kind: str = JSON) -> dict[str, Any]:
    answered = {"description": summary, "content": {kind: {}}}
    codes = sorted({400, 405, 431, *more})
    return {"summary": summary, "responses": {"200": answered, **{str(code): _refused(code) for code in codes}}}


def _with(operation: dict[str, Any], *parameters: dict[str, Any]) -> dict[str, Any]:
    return {**operation, "parameters": [*operation.get("parameters", ()), *parameters]}


def _refused(code: int) -> dict[str, Any]:
    return {"description": _REFUSALS[code], "content": {JSON: {"schema": {"$ref": _REF.format(name="Error")}}}}


def _error() -> dict[str, Any]:
    text = {"type": "string"}
    told = dict.fromkeys(("code", "message", "where", "value", "rule", "remedy"), text)
    error = {"type": "object", "properties": told, "required": ["code", "message"]}
    return {"type": "object", "properties": {"error": error}, "required": ["error"]}
