"""The tables of the records, in portable SQL but for the guards of the ledger.

Here belongs the schema and nothing that reads or writes it. Large JSON columns come last in their row: a question that
needs the head of a row alone does not read them; the seal of a row is over their hash (`seal.py`).
"""

from sqlalchemy import DDL, Boolean, Column, Float, Index, Integer, MetaData, Table, Text, event

FORMAT = 3
UPGRADED = (2,)  # earlier formats that lack tables and nothing else: these are made when the file is opened
METADATA = MetaData()
# keys are compared byte by byte everywhere: a prefix is a range of them
KEY = Text().with_variant(Text(collation="C"), "postgresql")

LEDGER = Table(
    "ledger",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", KEY, nullable=False),
    *(Column(name, Text, nullable=False) for name in ("use_case", "kind", "subject", "who", "why", "evidence")),
    Column("once", Text, nullable=False, unique=True),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

MODEL_VERSION = Table(
    "model_version",
    METADATA,
    Column("use_case", KEY, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("stage", Text, nullable=False),
    Column("share", Float, nullable=False),
    Column("seed", Integer, nullable=False),
    *(
        Column(name, Text, nullable=False)
        for name in (
            "partition", "registered_at", "verdict", "model_digest", "trained_model", "data_version", "training_set",
            "training_set_data_version", "commit", "dirty", "dagster_run", "mlflow_run", "mlflow_url", "dagster_url",
            "sentence", "contents", "seal", "metrics", "libraries", "weeks", "files", "other_inputs",
        )
    ),
)  # fmt: skip
Index("model_version_stage", MODEL_VERSION.c.use_case, MODEL_VERSION.c.stage)

LINEAGE_KEY = Table(
    "lineage_key",
    METADATA,
    Column("key", KEY, primary_key=True),
    Column("use_case", KEY, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    sqlite_with_rowid=False,
)

PREDICTION = Table(
    "prediction",
    METADATA,
    Column("id", KEY, primary_key=True),
    Column("use_case", Text, nullable=False),
    Column("version", Integer, nullable=False),
    *(Column(name, Text, nullable=False) for name in ("arm", "as_of", "answered_at")),
    sqlite_with_rowid=False,
)

DECISION = Table(
    "retraining_decision",
    METADATA,
    Column("id", KEY, primary_key=True),
    *(
        Column(name, Text, nullable=False)
        for name in ("use_case", "sensor", "window", "model", "signal", "key", "first_at", "last_at")
    ),
    Column("ticks", Integer, nullable=False),
    Column("yes", Boolean, nullable=False),
    *(Column(name, Text, nullable=False) for name in ("reason", "guards", "signals")),
)

# what the ledger refuses; the one for INSERT also stops INSERT OR REPLACE, which runs no DELETE trigger
_REFUSES = {
    "ledger_refuses_update": "BEFORE UPDATE ON ledger",
    "ledger_refuses_delete": "BEFORE DELETE ON ledger",
    "ledger_refuses_insert": "BEFORE INSERT ON ledger WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM ledger) "
    "OR EXISTS (SELECT 1 FROM ledger WHERE once = NEW.once)",
}
GUARDS = {
    name: f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END"
    for name, when in _REFUSES.items()
}
for _guard in GUARDS.values():
    event.listen(LEDGER, "after_create", DDL(_guard))  # type: ignore[no-untyped-call]  # SQLAlchemy's is untyped
