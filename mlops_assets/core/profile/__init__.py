"""The reference profile: what a model version remembers of the data it was trained on, without a single row of it."""

from mlops_assets.core.profile.building import build_profile
from mlops_assets.core.profile.records import ColumnProfile, ReferenceProfile

__all__ = ["ColumnProfile", "ReferenceProfile", "build_profile"]
