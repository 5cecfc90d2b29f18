"""AsyncAPI 3.0 from the contracts and the topology: who says what where, and who hears it."""

from typing import Any

from pydantic.json_schema import models_json_schema

from npms_shared.contracts import catalogue
from npms_shared.contracts.base import Event
from npms_shared.messaging.topology import QUEUES, STAGES, Stage, events_exchange
from npms_tools.schemas.contracts import CONTRACTS, sample_of, schema_of

Document = dict[str, Any]

_AMQP = "0.3.0"
_HEADERS: Document = {
    "type": "object",
    "required": [
        "cloudEvents_specversion",
        "cloudEvents_id",
        "cloudEvents_source",
        "cloudEvents_type",
        "cloudEvents_time",
    ],
    "properties": {
        "cloudEvents_specversion": {"const": "1.0"},
        "cloudEvents_id": {"type": "string", "format": "uuid", "description": "UUID version 7"},
        "cloudEvents_source": {"type": "string", "examples": ["/npms/ledger"]},
        "cloudEvents_type": {"type": "string", "examples": ["npms.ledger.account_opened.v1"]},
        "cloudEvents_subject": {"type": "string", "description": "whom it is about"},
        "cloudEvents_time": {"type": "string", "format": "date-time"},
        "traceparent": {"type": "string", "description": "W3C Trace Context"},
    },
}


def asyncapi_document() -> Document:
    """The whole document, in a stable order."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "NPMS events",
            "version": "1.0.0",
            "description": (
                "Envelope: CloudEvents 1.0, binary mode. Queues are quorum queues; a consumer "
                "acknowledges after its transaction has committed."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "schemas": {"Envelope": _HEADERS, **_schemas()},
            "messages": {c.__name__: _message(c) for c in CONTRACTS.values()},
        },
    }


def _schemas() -> Document:
    wanted = [(contract, "validation") for contract in CONTRACTS.values()]
    _, definitions = models_json_schema(
        wanted,  # type: ignore[arg-type]
        ref_template="#/components/schemas/{model}",
    )
    return dict(definitions["$defs"])


def _message(contract: type[Event]) -> Document:
    summary = (contract.__doc__ or contract.__name__).strip().splitlines()[0]
    return {
        "name": contract.event_type(),
        "title": contract.__name__,
        "summary": summary if contract.__doc__ else contract.event_type(),
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/Envelope"},
        "payload": {"$ref": f"#/components/schemas/{contract.__name__}"},
        "examples": [{"payload": sample_of(schema_of(contract))}],
    }


def _channels() -> Document:
    said = {_said(contract): _topic_channel(contract) for contract in catalogue.EVENTS}
    staged = {_said(stage.contract): _stage_channel(stage) for stage in STAGES}
    heard = {name: _queue_channel(name, contracts) for name, contracts in QUEUES.items()}
    lanes = {stage.queue: _lane_channel(stage) for stage in STAGES}
    return said | staged | heard | lanes


def _said(contract: type[Event]) -> str:
    return f"{contract.publisher}.{contract.name}"


def _topic_channel(contract: type[Event]) -> Document:
    return {
        "address": contract.name,
        "title": f"{contract.__name__}, said by {contract.publisher}",
        "messages": _messages(contract),
        "bindings": _routing(events_exchange(contract.publisher), "topic"),
    }


def _stage_channel(stage: Stage) -> Document:
    return {
        "address": "{partition}",
        "title": f"{stage.contract.__name__}, said by {stage.contract.publisher}",
        "parameters": _partition(),
        "messages": _messages(stage.contract),
        "bindings": _routing(stage.exchange, "direct"),
    }


def _queue_channel(name: str, contracts: tuple[type[Event], ...]) -> Document:
    return {"address": name, "messages": _messages(*contracts), "bindings": _queue(name)}


def _lane_channel(stage: Stage) -> Document:
    return {
        "address": f"{stage.queue}.{{partition}}",
        "description": "One queue a partition, each with a single active consumer.",
        "parameters": _partition(),
        "messages": _messages(stage.contract),
        "bindings": _queue(f"{stage.queue}.{{partition}}"),
    }


def _partition() -> Document:
    return {"partition": {"description": "crc32(account_id as text) modulo the partitions (16)"}}


def _messages(*contracts: type[Event]) -> Document:
    return {c.__name__: {"$ref": f"#/components/messages/{c.__name__}"} for c in contracts}


def _routing(exchange: str, kind: str) -> Document:
    described = {"name": exchange, "type": kind, "durable": True, "autoDelete": False}
    return {"amqp": {"is": "routingKey", "exchange": described, "bindingVersion": _AMQP}}


def _queue(name: str) -> Document:
    described = {"name": name, "durable": True, "exclusive": False, "autoDelete": False}
    return {"amqp": {"is": "queue", "queue": described, "bindingVersion": _AMQP}}


def _operations() -> Document:
    operations = {
        f"{contract.publisher}.say.{contract.name}": _operation("send", _said(contract), contract)
        for contract in CONTRACTS.values()
    }
    for name, contracts in QUEUES.items():
        operations[f"{name}.hear"] = _operation("receive", name, *contracts)
    for stage in STAGES:
        operations[f"{stage.queue}.hear"] = _operation("receive", stage.queue, stage.contract)
    return operations


def _operation(action: str, channel: str, *contracts: type[Event]) -> Document:
    place = f"#/channels/{channel}"
    return {
        "action": action,
        "channel": {"$ref": place},
        "messages": [{"$ref": f"{place}/messages/{contract.__name__}"} for contract in contracts],
    }
