"""What the gateways keep, as Dagster's steps reach it: rollouts and predictions. Nothing here serves anybody."""

from contextlib import AbstractContextManager, closing

import dagster as dg

from mlops_assets.declare import UseCase
from mlops_assets.stores.serving.predictions import PredictionLog
from mlops_assets.stores.serving.rollouts import Rollouts


class Serving(dg.ConfigurableResource):
    """`where` the gateways keep their state: a folder, or the URL of a PostgreSQL database."""

    where: str

    def rollouts(self, use_case: UseCase) -> Rollouts:
        """To be closed by whoever asked."""
        return Rollouts(self.where, use_case.name)

    def predictions(self, use_case: UseCase) -> AbstractContextManager[PredictionLog]:
        """The log, made when there is none yet: no gateway has answered then."""
        return closing(PredictionLog(self.where, use_case))
