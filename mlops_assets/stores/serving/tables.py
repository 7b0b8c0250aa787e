"""The tables of the rollouts, in portable SQL.

Here belongs the schema and nothing that reads or writes it.
"""

from sqlalchemy import BigInteger, Column, Float, MetaData, Table, Text, UniqueConstraint

FORMAT = 1
METADATA = MetaData()


def _numbers(*names: str) -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False) for name in names]


def _texts(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


# one row for each use case, by the fields of `core.rollout.state.Row`; follows from the events
ROLLOUT = Table(
    "rollout",
    METADATA,
    Column("use_case", Text, primary_key=True),
    *_numbers("epoch", "rollout"),
    *_texts("stage"),
    *_numbers("step"),
    Column("share", Float, nullable=False),
    *_numbers("champion"),
    Column("challenger", BigInteger),
    *_numbers("baseline_of"),
    *_texts("held"),
    *_numbers("held_since_us", "since_us", "entered"),
    *_texts("plan", "finalized", "waiting", "salt"),
)

EVENT = Table(
    "rollout_event",
    METADATA,
    Column("use_case", Text, primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    *_numbers("at_us"),
    *_texts("kind", "who", "why", "once", "facts", "previous", "hash"),
    UniqueConstraint("use_case", "once"),
)

# who may raise a share: `token` counts holders, `beats` counts signs of life
LEASE = Table(
    "rollout_lease",
    METADATA,
    Column("use_case", Text, primary_key=True),
    *_texts("holder"),
    *_numbers("token", "beats"),
)

GATEWAY = Table(
    "rollout_gateway",
    METADATA,
    Column("use_case", Text, primary_key=True),
    Column("gateway", Text, primary_key=True),
    *_numbers("epoch", "beats"),
    *_texts("slots"),
)

# the evidence so far and the place in the prediction log up to which it was read
CHECKPOINT = Table(
    "rollout_checkpoint",
    METADATA,
    Column("use_case", Text, primary_key=True),
    Column("rollout", BigInteger, primary_key=True, autoincrement=False),
    Column("entered", BigInteger, primary_key=True, autoincrement=False),
    *_texts("content"),
)

# up to which event the ledger was told
MIRRORED = Table(
    "rollout_mirrored",
    METADATA,
    Column("use_case", Text, primary_key=True),
    *_numbers("epoch"),
)
