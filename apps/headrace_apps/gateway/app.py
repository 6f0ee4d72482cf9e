"""The FastAPI application: joins the parts that it is given. Nothing here is global, so a test can make its own.

`kafka_parts` builds the real parts; `create_app` takes any.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from confluent_kafka.admin import AdminClient
from fastapi import FastAPI

from headrace.core.documents import GatewayDocument
from headrace_apps.gateway import problems
from headrace_apps.gateway.events import Events
from headrace_apps.gateway.health import Faults, Health, missing_topics
from headrace_apps.gateway.ingest import Ingest
from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.lookups import LookupTable, looked_up
from headrace_apps.gateway.metrics import Metrics
from headrace_apps.gateway.offsets import BrokerOffsets, connection_config
from headrace_apps.gateway.openapi import openapi_of
from headrace_apps.gateway.producer import EventProducer, KafkaEventProducer
from headrace_apps.gateway.reading import ReaderPool
from headrace_apps.gateway.records import key_columns_of
from headrace_apps.gateway.schema_ids import SchemaIds, encoded_schemas
from headrace_apps.gateway.tokens import Verifier
from headrace_apps.gateway.validation import judge_of
from headrace_apps.gateway.views.follower import ViewFollower
from headrace_apps.gateway.views.order import KeyOrder
from headrace_apps.gateway.views.routes import View, Views
from headrace_apps.gateway.views.store import NewStore, identity_of
from headrace_apps.records.decoder import decoder_of
from headrace_apps.records.registry import ConfluentRegistry, Registry
from headrace_apps.runtime import ConsumerMetrics

Clock = Callable[[], float]
"""Epoch seconds."""


class Gateway:
    """The parts of one gateway and their life: made in the running loop, closed in reverse order."""

    def __init__(
        self,
        document: GatewayDocument,
        producer: EventProducer,
        verifier: Verifier,
        clock: Clock,
        *,
        admin: AdminClient,
        limits: Limits,
        metrics: Metrics,
        look: Callable[[], Faults],
        new_store: NewStore,
        registry: Registry | None = None,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        """`registry` is needed for Avro and Protobuf topics; `new_id` makes request ids."""
        self.limits = limits
        self.producer = producer
        self.decoders = {t.name: decoder_of(t.schema_, t.columns, registry) for t in document.topics}
        self.readers = ReaderPool(document.kafka, limits, metrics)
        offsets = BrokerOffsets(admin, limits.read_timeout)
        consumers = ConsumerMetrics(metrics.registry)
        self.views: dict[str, View] = {}
        for view in document.views:
            topic = document.topic(view.topic)
            key_columns = key_columns_of(topic)
            store = new_store(view.name, KeyOrder(key_columns))
            follower = ViewFollower(
                view.name,
                kafka=document.kafka,
                topic=topic.kafka_topic,
                store=store,
                now=clock,
                identity=identity_of(topic),
                series=consumers.of(f"view-{view.name}"),
            )
            self.views[view.name] = View(view, key_columns, store, follower, self.decoders[topic.name])
        self.tables: dict[str, LookupTable] = {}
        for topic in looked_up(document):
            name = f"lookup.{topic.name}"
            store = new_store(name, KeyOrder())
            follower = ViewFollower(
                name,
                kafka=document.kafka,
                topic=topic.kafka_topic,
                store=store,
                now=clock,
                identity=identity_of(topic),
                series=consumers.of(name),
            )
            self.tables[topic.name] = LookupTable(topic, self.decoders[topic.name], store, follower)
        self.schema_ids = SchemaIds(encoded_schemas(document), registry, self.readers.executor)
        self.ingest = Ingest(
            document,
            producer,
            verifier,
            metrics=metrics,
            limits=limits,
            now=clock,
            new_id=new_id,
            schema_ids=self.schema_ids,
            tables=self.tables,
        )
        self.events = Events(
            document, verifier, self.readers, offsets, decoders=self.decoders, limits=limits, now=clock
        )
        self.view_routes = Views(self.views, verifier, limits, clock)
        self.health = Health(
            look, self.views, metrics, self.readers.executor, lambda: producer.in_flight, self._not_ready
        )

    def _not_ready(self) -> Faults:
        restoring = {name: table.follower.progress for name, table in self.tables.items()}
        return self.schema_ids.faults() | {
            f"lookup {name}": f"is being restored: {progress.applied} of {progress.to_apply} offsets are read"
            for name, progress in restoring.items()
            if not progress.restored
        }

    def start(self) -> None:
        self.schema_ids.start()
        for table in self.tables.values():
            table.follower.start()
        for view in self.views.values():
            view.follower.start()

    def drain(self) -> None:
        """End what waits: streams and long reads."""
        self.readers.draining.set()

    async def close(self) -> None:
        """After the last request: acknowledge what is under way, then let go of the broker."""
        await self.producer.close(self.limits.delivery_timeout)
        await self.schema_ids.close()
        followers = [view.follower for view in self.views.values()]
        followers += [table.follower for table in self.tables.values()]
        await asyncio.gather(*(asyncio.to_thread(follower.close) for follower in followers))
        await self.readers.close()


def kafka_gateway(
    document: GatewayDocument,
    verifier: Verifier,
    clock: Clock,
    *,
    limits: Limits,
    producer: EventProducer | None = None,
    new_store: NewStore,
    on_fatal: Callable[[], None] = lambda: None,
) -> Gateway:
    """A gateway on the document's broker, with another producer if one is given. Needs a running loop.

    `on_fatal` is called from another thread when the producer can never store again.
    """
    admin = AdminClient(connection_config(document.kafka))
    return Gateway(
        document,
        producer or KafkaEventProducer(document.kafka, delivery_timeout=limits.delivery_timeout, on_fatal=on_fatal),
        verifier,
        clock,
        admin=admin,
        limits=limits,
        metrics=Metrics(),
        look=lambda: missing_topics(admin, document),
        new_store=new_store,
        registry=ConfluentRegistry(document.registry.url) if document.registry is not None else None,
    )


def check_document(document: GatewayDocument, limits: Limits) -> None:
    """Raises SchemaUnusable or ValueError for a schema or a lookup that cannot be used: said before anything starts."""
    looked_up(document)
    registry = ConfluentRegistry(document.registry.url) if document.registry is not None else None
    for topic in document.topics:
        decoder_of(topic.schema_, topic.columns, registry)
        if topic.ingest is not None:
            judge_of(topic, limits)


def create_app(document: GatewayDocument, build: Callable[[], Awaitable[Gateway]]) -> FastAPI:
    """The application. `build` is awaited in the server's loop when it starts; `app.state.gateway` is its result."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        gateway = await build()
        app.state.gateway = gateway
        _add_routes(app, gateway)
        gateway.start()
        yield
        await gateway.close()

    # Swagger UI comes from a CDN in FastAPI; nothing here may be fetched from outside, so /docs is off.
    app = FastAPI(
        title="Headrace gateway",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        # Off: it looks for exporters on every request, and could be told by the environment to send somewhere.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    problems.install(app)
    schema: dict[str, Any] = openapi_of(document)
    app.openapi = lambda: schema  # type: ignore[method-assign]
    return app


def _add_routes(app: FastAPI, gateway: Gateway) -> None:
    app.add_route("/v1/topics/{topic}/events", gateway.ingest.__call__, methods=["POST"])
    app.add_api_route("/v1/topics/{topic}/events", gateway.events.get, methods=["GET"], response_model=None)
    app.add_api_route("/v1/views/{view}", gateway.view_routes.list, methods=["GET"], response_model=None)
    app.add_api_route("/v1/views/{view}", gateway.view_routes.get_many, methods=["POST"], response_model=None)
    app.add_api_route("/v1/views/{view}/{key:path}", gateway.view_routes.get, methods=["GET"], response_model=None)
    for path, handler in (
        ("/healthz", gateway.health.healthz),
        ("/readyz", gateway.health.readyz),
        ("/metrics", gateway.health.metrics),
    ):
        app.add_route(path, handler, methods=["GET"])
