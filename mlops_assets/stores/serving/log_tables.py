"""The tables of the prediction log, in SQL that SQLite and PostgreSQL both understand.

Every record has a number `n`; all tables are numbered from one sequence, in the order of the commits. So whoever has
seen everything up to a number has missed nothing, and what belongs together (answer, the other arm's answer, label)
is complete at the largest of its numbers, whichever came last.
"""

from mlops_assets.stores.serving.log_records import Answered, Failed, Labelled, Mirrored, Record

FORMAT = 1
# {integer}, {real}, {key}: what each database calls them; keys are compared byte by byte
TABLES = """
CREATE TABLE prediction(
    n {integer} PRIMARY KEY, id {key} NOT NULL UNIQUE, request {key} NOT NULL, row_of {integer} NOT NULL,
    unit TEXT NOT NULL, rollout {key} NOT NULL, epoch {integer} NOT NULL, stage TEXT NOT NULL, share {real} NOT NULL,
    assigned TEXT NOT NULL, version {integer} NOT NULL, champion {integer} NOT NULL, challenger {integer},
    as_of_us {integer} NOT NULL, received_us {integer} NOT NULL, answered_us {integer} NOT NULL, score {real},
    status TEXT NOT NULL, reason TEXT NOT NULL, latency_us {integer} NOT NULL, challenger_bad TEXT NOT NULL,
    bad TEXT NOT NULL, content TEXT NOT NULL, features TEXT NOT NULL){strict};
CREATE INDEX prediction_as_of ON prediction(as_of_us);
CREATE INDEX prediction_exposed ON prediction(rollout, n) WHERE version = challenger AND score IS NOT NULL;
CREATE TABLE mirrored(
    n {integer} PRIMARY KEY, id {key} NOT NULL UNIQUE, version {integer} NOT NULL, arm TEXT NOT NULL, score {real},
    bad TEXT NOT NULL, latency_us {integer} NOT NULL, at_us {integer} NOT NULL){strict};
CREATE TABLE label(
    n {integer} PRIMARY KEY, id {key} NOT NULL UNIQUE, label {real} NOT NULL, known_us {integer} NOT NULL,
    arrived_us {integer} NOT NULL){strict};
CREATE TABLE failed(
    n {integer} PRIMARY KEY, request TEXT NOT NULL, status_code {integer} NOT NULL, reason TEXT NOT NULL,
    at_us {integer} NOT NULL){strict};
CREATE TABLE began(rollout {key} PRIMARY KEY, n {integer} NOT NULL){strict};
CREATE TABLE exported(
    week {key} PRIMARY KEY, begins_us {integer} NOT NULL, ends_us {integer} NOT NULL, up_to {integer} NOT NULL,
    data_version TEXT NOT NULL, forgotten {integer} NOT NULL){strict};
CREATE TABLE forgotten(one {integer} PRIMARY KEY, up_to {integer} NOT NULL){strict}
"""
TABLE_OF: dict[type[Record], str] = {Answered: "prediction", Mirrored: "mirrored", Labelled: "label", Failed: "failed"}
LAST = (
    "SELECT (SELECT coalesce(max(n), 0) FROM prediction), (SELECT coalesce(max(n), 0) FROM mirrored), "
    "(SELECT coalesce(max(n), 0) FROM label), (SELECT coalesce(max(n), 0) FROM failed), "
    "(SELECT coalesce(max(up_to), 0) FROM forgotten)"
)
