"""NetworkPolicies: nothing reaches the pipeline's pods and they reach nothing, but for names and the plan's edges.

A policy knows pods and addresses, no host names: what is outside (registry, issuer, storage, Snowflake) is opened by
its port alone. A cluster whose network knows host names can narrow that with policies of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headrace.kubernetes.render import gateway, jobs, loaders
from headrace.kubernetes.render.access import broker_ports, port_of
from headrace.kubernetes.render.target import PIPELINE_LABEL, Part, Target, common_labels, metadata
from headrace.kubernetes.text import Manifest

Edge = dict[str, Any]
_HTTPS, _API_SERVER, _FLINK_REST, _DNS = 443, 6443, 8081, 53
_FLINK_OPERATOR = "flink-kubernetes-operator"
_ANY_POD: Edge = {"namespaceSelector": {}}


def render_network(parts: Sequence[Part], target: Target) -> list[Manifest]:
    """First the two that hold for all of the pipeline's pods, then one per part."""
    return [_deny(target), _names(target), *(_policy(part, *_edges(part)) for part in parts)]


def _deny(target: Target) -> Manifest:
    return _network_policy(target, "-default-deny", {"policyTypes": ["Ingress", "Egress"]})


def _names(target: Target) -> Manifest:
    """To anywhere: a node's own cache of names is no pod that a selector could find."""
    ports = [{"protocol": protocol, "port": _DNS} for protocol in ("UDP", "TCP")]
    return _network_policy(target, "-dns", {"policyTypes": ["Egress"], "egress": [{"ports": ports}]})


def _network_policy(target: Target, suffix: str, spec: dict[str, Any]) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(target, target.pipeline + suffix, common_labels(target)),
        "spec": {"podSelector": {"matchLabels": {PIPELINE_LABEL: target.pipeline}}, **spec},
    }


def _policy(part: Part, ingress: list[Edge], egress: list[Edge]) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": part.metadata(),
        "spec": {
            "podSelector": {"matchLabels": part.selector},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    }


def _edges(part: Part) -> tuple[list[Edge], list[Edge]]:
    """Who comes in and where the part goes."""
    platform = part.target.platform
    registry = port_of(platform.registry.url)
    match part.role:
        case "gateway" | "views":
            callers = [{"from": [_ANY_POD], "ports": _ports(gateway.PORT)}]
            return callers, [_kafka(part), _outside(registry, port_of(platform.auth.jwks_url))]
        case "sink":
            return [_prometheus(part, loaders.PORT)], [_kafka(part), _outside(registry, _HTTPS)]
        case _:
            itself = {"podSelector": {"matchLabels": part.selector}}
            flink_operator = {**_ANY_POD, "podSelector": {"matchLabels": {"app.kubernetes.io/name": _FLINK_OPERATOR}}}
            ingress = [
                {"from": [itself]},
                {"from": [flink_operator], "ports": _ports(_FLINK_REST)},
                _prometheus(part, jobs.METRICS_PORT),
            ]
            # Job managers start task managers and elect their leader by the API server.
            return ingress, [{"to": [itself]}, _kafka(part), _outside(registry, _HTTPS, _API_SERVER)]


def _kafka(part: Part) -> Edge:
    kafka = part.target.platform.kafka
    if kafka.bootstrap_servers:
        return _outside(*broker_ports(kafka.bootstrap_servers))
    brokers = {"strimzi.io/cluster": kafka.cluster, "strimzi.io/kind": "Kafka"}
    return {"to": [{"podSelector": {"matchLabels": brokers}}], "ports": _ports(kafka.listener.port)}


def _prometheus(part: Part, port: int) -> Edge:
    namespace = {"kubernetes.io/metadata.name": part.target.platform.monitoring.namespace}
    return {"from": [{"namespaceSelector": {"matchLabels": namespace}}], "ports": _ports(port)}


def _outside(*ports: int) -> Edge:
    return {"ports": _ports(*sorted(set(ports)))}


def _ports(*ports: int) -> list[dict[str, Any]]:
    return [{"protocol": "TCP", "port": port} for port in ports]
