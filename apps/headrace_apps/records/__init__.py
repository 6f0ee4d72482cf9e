"""What a record means, in Python: bytes ↔ rows ↔ the JSON form, for JSON, Avro and Protobuf. Used by gateway, loader,
`headrace tail` and the demo; the Flink record format is the only other statement of it (docs/reference/contracts.md).

    decoder.Decoder   bytes → Row | Tombstone | Refused, and bytes → JSON form
    encoder.Encoder   JSON form → bytes with the registry's prefix (Avro, Protobuf)
    registry          a schema by its id; the id of a schema
    json_rows         parsed JSON → row, wide as the contract     json_check   the gateway's narrow reading
    strict_json       JSON text as readers take it                event_json   as the gateway takes it
    avro*, protobuf*  the two binary formats, over `forms`: a type's way between library, JSON form and row
"""
