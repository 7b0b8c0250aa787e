"""The one time axis of a use case as Dagster sees it."""

from datetime import UTC, datetime

import dagster as dg

from mlops_assets.declare import DataError, UseCase, Weekly


def partitions_def(weekly: Weekly) -> dg.WeeklyPartitionsDefinition:
    """Weeks that begin on Monday; keys are the Mondays, as declared."""
    return dg.WeeklyPartitionsDefinition(
        start_date=weekly.start, end_date=weekly.end, timezone=weekly.timezone, day_offset=1
    )


def partition_of(context: dg.AssetExecutionContext, use_case: UseCase) -> str:
    """The run's partition key, refused with DataError unless it exists.

    `dagster job execute` rounds a wrong key to a neighbouring week without a word; here nothing is run instead.
    """
    if not context.has_partition_key:
        raise DataError(
            f'{use_case.name}: the run names no partition. Say which week: --tags \'{{"dagster/partition": "..."}}\''
        )
    return use_case.partitions.check(context.partition_key, datetime.now(UTC))
